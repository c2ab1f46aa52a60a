"""What one seed makes of the world: the configuration, and what of it changes from one reload to the next."""
from harness.sluice import pool, route

SALT = "chaos"
VARIANTS = {"chat": ["stable", "canary"], "session": ["stable", "canary", "extra"], "plain": ["stable"]}
ATTEMPTS = 2


class World:
    def __init__(self, rng, faults):
        self.faults = faults
        self.pools = {"blue": ["b1", "b2"], "green": ["g1", "g2"], "white": ["w1", "w2"]}
        self.workers = rng.choice((1, 2, 3))
        self.fallback = rng.random() < 0.5
        self.retry = rng.random() < 0.7
        self.mirror = rng.random() < 0.3
        self.balance = rng.choice(("least_inflight", "round_robin", "unit_hash"))
        self.version = 1
        self.turn = 0
        self.session = {"stable": 50, "canary": 30, "extra": 20}

    def names(self):
        return [name for names in self.pools.values() for name in names]

    def mutate(self, rng):
        """Another configuration, as good as the one before."""
        self.turn += 1
        if rng.random() < 0.3:
            self.version += 1
        first = rng.randrange(0, 101)
        second = rng.randrange(0, 101 - first)
        self.session = {"stable": 100 - first - second, "canary": first, "extra": second}

    def pool(self, endpoints, name, **settings):
        health = {"interval": "200ms", "timeout": "2s", "healthy_after": 1, "unhealthy_after": 2, "request": {"path": "/health"}}
        ejection = {"consecutive_failures": 4 if self.faults else 0, "base_time": "500ms", "max_share": 50}
        return pool(*(endpoints[n] for n in self.pools[name]), balance=self.balance, health=health, ejection=ejection,
                    keepalive=(1, 8, 128)[self.turn % 3], **settings)

    def config(self, endpoints, log):
        retry = {"attempts": ATTEMPTS, "on": ["connect", "reset_before_response", 502, 503, 504], "budget": 50}
        shared = {"retry": retry} if self.retry or self.fallback else {}
        variants = {"stable": {"pool": "blue", "version": "v0", "weight": 100},
                    "canary": {"pool": "green", "version": f"v{self.version}", "weight": 0}}
        if self.mirror:
            variants["shadow"] = {"pool": "white", "weight": 0}
        rollout = {"strategy": "canary", "baseline": "stable", "candidate": "canary", "keep_warm": "2s", "watch": "2s", "step_timeout": "20s",
                   "inconclusive": "promote", "guards": {"error_rate": {"margin": 5}},
                   "steps": [{"weight": 5, "for": "1s"}, {"weight": 30, "for": "1s"}, {"pause": "manual"}, {"weight": 60, "for": "1s"}, {"weight": 100}]}
        chat = route("chat", variants, match={"path": "/chat"}, sticky={"by": ["header X-User-Id"], "salt": SALT}, rollout=rollout, **shared)
        if self.fallback:
            chat["fallback"] = "stable"
        if self.mirror:
            chat["mirror"] = {"variant": "shadow", "share": 50}
        session = route("session", {n: {"pool": p, "weight": self.session[n]} for n, p in zip(VARIANTS["session"], self.pools)},
                        match={"path": "/session"}, sticky={"cookie": "sid", "mode": "session", "salt": SALT}, **shared)
        plain = route("plain", {"stable": {"pool": "queued", "weight": 100}}, match={"path": "/plain"}, **({"retry": retry} if self.retry else {}))
        return {"workers": self.workers, "access_log": {"path": log}, "shutdown_grace": "20s",
                "timeouts": {"first_byte": "3s" if self.faults else "20s", "connect": "2s", "stream_idle": "3s" if self.faults else "20s"},
                "pools": {**{name: self.pool(endpoints, name) for name in self.pools},
                          "queued": pool(endpoints["w1"], endpoints["w2"], max_inflight=2, queue={"size": 100, "timeout": "10s"},
                                         ejection={"consecutive_failures": 0})},
                "routes": [chat, session, plain]}
