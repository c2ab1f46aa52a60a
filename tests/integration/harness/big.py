"""A configuration with 1,000 routes, 1,000 pools and 10,000 endpoints, as text."""
import yaml


def big_config(head, live_url, routes=1000, endpoints=10):
    """`head`: the parts that stay (listeners, admin, …). The last route's pool has `live_url` only; all other endpoints
    are addresses of 127.0.0.0/8 where nobody listens."""
    lines = [yaml.safe_dump({k: v for k, v in head.items() if k not in ("pools", "routes")}), "pools:"]
    for r in range(routes):
        if r == routes - 1:
            urls = live_url
        else:
            urls = ", ".join(f"http://127.{1 + r // 250}.{r % 250}.{e + 1}:9" for e in range(endpoints))
        lines.append(f"  p{r}: {{endpoints: [{urls}]}}")
    lines.append("routes:")
    for r in range(routes):
        lines += [f"  - name: r{r}", f"    match: {{path_prefix: /r{r}/}}",
                  "    sticky: {by: [header X-User-Id]}",
                  f"    variants: {{a: {{pool: p{r}, weight: 95}}, b: {{pool: p{r}, weight: 5}}}}"]
    return "\n".join(lines) + "\n"
