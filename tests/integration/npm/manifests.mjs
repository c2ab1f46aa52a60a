// Kubernetes objects, a JSON list on stdin, against the schemas of the API and of the Prometheus Operator; prints every fault.
// The packages are looked for in NPM_MODULES. A field that no schema knows is one that the validator never reads: what it is
// given are proxies that remember what was read.
import fs from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";

const GROUPS = {
  "v1": ["kubernetes-models", "IoK8sApiCoreV1"],
  "apps/v1": ["kubernetes-models", "IoK8sApiAppsV1"],
  "networking.k8s.io/v1": ["kubernetes-models", "IoK8sApiNetworkingV1"],
  "policy/v1": ["kubernetes-models", "IoK8sApiPolicyV1"],
  "monitoring.coreos.com/v1": ["@kubernetes-models/prometheus-operator",
    "ComGithubPrometheusOperatorPrometheusOperatorPkgApisMonitoringV1"],
};

class Watched {
  constructor(value) {
    this.value = value;
    this.read = new Map();
    this.proxy = new Proxy(value, { get: (target, name) => this.get(target[name], name, Object.hasOwn(target, name)) });
  }

  get(value, name, own) {
    if (!own || value === null || typeof value !== "object") {
      if (own) this.read.set(name, null);
      return value;
    }
    if (!this.read.has(name)) this.read.set(name, new Watched(value));
    return this.read.get(name).proxy;
  }

  *unread(at) {
    for (const name of Object.keys(this.value)) {
      if (!this.read.has(name)) yield `${at}/${name}: no such field`;
      else yield* this.read.get(name)?.unread(`${at}/${name}`) ?? [];
    }
  }
}

async function faults(object) {
  const [module, prefix] = GROUPS[object.apiVersion] ?? [];
  const file = module && path.join(process.env.NPM_MODULES, module, "_schemas", `${prefix}${object.kind}.js`);
  if (!file || !fs.existsSync(file)) return ["no such kind"];
  const { validate } = await import(pathToFileURL(file));
  const watched = new Watched(object);
  const wrong = validate(watched.proxy) ? [] : validate.errors.map(
    (error) => `${error.instancePath}: ${error.keyword} ${JSON.stringify(error.params)}`);
  return [...wrong, ...watched.unread("")];
}

const objects = JSON.parse(fs.readFileSync(0, "utf8"));
for (const object of objects)
  for (const fault of await faults(object)) console.log(`${object.kind} ${object.metadata?.name}: ${fault}`);
console.log(`${objects.length} objects`);
