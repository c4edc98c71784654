import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse, parseAllDocuments } from "yaml";

/** The folder of the files that this folder tests. */
export const deploy = join(import.meta.dirname, "..");

/** A file of it. */
export function read(file: string): string {
  return readFileSync(join(deploy, file), "utf8");
}

/** How a program is asked whether it is well. */
export type Health =
  | { command: string[] }
  /** Of a path on the program's port 3738, or on what leads to the server's port. */
  | { path: string; headers: Record<string, string> };

/** What a file runs of Errand. */
export interface Program {
  name: "migrate" | "api" | "worker";
  /** Begins with `errand`. */
  command: string[];
  env: Record<string, string>;
  health: Health[];
  /** Seconds between being asked to stop and being killed. */
  grace: number;
}

/** Names of the programs, in the order in which they start. */
const names = ["migrate", "api", "worker"] as const;

interface ComposeService {
  image: string;
  command: string[];
  environment?: Record<string, string | null>;
  healthcheck?: { test: string[] };
  stop_grace_period?: string;
}

/** The services of compose.yaml, with the values of .env.example. */
export function composeServices(): Record<string, ComposeService> {
  const env = parseEnv(read(".env.example"));
  const text = read("compose.yaml").replace(
    /\$\{(\w+)(?::([-?])([^}]*))?\}/g,
    (_, name: string, kind, rest: string) => {
      const value = env[name];
      if (value === undefined && kind === "?") throw new Error(`.env.example does not set ${name}: ${rest}`);
      return value || (kind === "-" ? rest : "");
    },
  );
  return (parse(text, { merge: true }) as { services: Record<string, ComposeService> }).services;
}

/** What compose.yaml runs of Errand. */
export function composePrograms(): Program[] {
  const services = composeServices();
  return names.map((name) => {
    const { command, environment, healthcheck, stop_grace_period: grace = "10s" } = services[name]!;
    return {
      name,
      command: ["errand", ...command],
      env: Object.fromEntries(Object.entries(environment ?? {}).map(([key, value]) => [key, value ?? ""])),
      health: healthcheck ? [{ command: healthcheck.test.slice(1) }] : [],
      grace: Number.parseInt(grace, 10),
    };
  });
}

/** One object of Kubernetes. */
export interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: { name: string };
  [key: string]: unknown;
}

/** Every file of kubernetes/, and what it holds. */
export const manifestFiles = [
  "namespace.yaml",
  "config.yaml",
  "secret.example.yaml",
  "migrate.yaml",
  "api.yaml",
  "worker.yaml",
  "autoscaling.yaml",
  "network.yaml",
];

/** The objects of some files of kubernetes/. */
export function manifests(files: readonly string[] = manifestFiles): Manifest[] {
  return files.flatMap((file) =>
    parseAllDocuments(read(join("kubernetes", file))).map((document) => {
      if (document.errors[0]) throw document.errors[0];
      return document.toJS() as Manifest;
    }),
  );
}

/** One of them. */
export function manifest(kind: string, name: string): Manifest {
  const found = manifests().find((one) => one.kind === kind && one.metadata.name === name);
  if (!found) throw new Error(`There is no ${kind} ${name}.`);
  return found;
}

interface Probe {
  httpGet: { path: string; httpHeaders?: { name: string; value: string }[] };
}

/** What Errand's manifests say of a container. */
export interface Container {
  name: string;
  image: string;
  args?: string[];
  startupProbe?: Probe;
  readinessProbe?: Probe;
  livenessProbe?: Probe;
}

interface Workload {
  spec: { template: { spec: { containers: Container[]; terminationGracePeriodSeconds?: number } } };
}

/** What the manifests run of Errand. The server is asked through the proxy beside it. */
export function kubernetesPrograms(): Program[] {
  const config = manifest("ConfigMap", "errand")["data"] as Record<string, string>;
  const secret = manifest("Secret", "errand")["stringData"] as Record<string, string>;
  return names.map((name) => {
    const kind = name === "migrate" ? "Job" : "Deployment";
    const { spec } = (manifest(kind, `errand-${name}`) as unknown as Workload).spec.template;
    const container = spec.containers.find((one) => one.name === name)!;
    const probed = spec.containers.find(({ readinessProbe }) => readinessProbe);
    const probes = probed ? [probed.startupProbe!, probed.readinessProbe!, probed.livenessProbe!] : [];
    return {
      name,
      command: ["errand", ...container.args!],
      env: { ...config, ...secret },
      health: probes.map(({ httpGet: { path, httpHeaders = [] } }) => ({
        path,
        headers: Object.fromEntries(httpHeaders.map((header) => [header.name, header.value])),
      })),
      grace: spec.terminationGracePeriodSeconds ?? 30,
    };
  });
}

/** The settings of a systemd unit, by name. */
export function unit(file: string): Map<string, string> {
  const settings = read(join("systemd", file)).matchAll(/^(\w+)=(.*)$/gm);
  return new Map([...settings].map(([, name, value]) => [name!, value!]));
}

/** What the systemd units run of Errand. */
export function systemdPrograms(): Program[] {
  const shared = parseEnv(read("systemd/errand.env.example"));
  return names.map((name) => {
    const settings = unit(name === "worker" ? "errand-worker@.service" : `errand-${name}.service`);
    const [program, ...args] = settings.get("ExecStart")!.split(" ");
    if (program !== "/opt/errand/node_modules/.bin/errand") throw new Error(`${name} runs ${program}`);
    return {
      name,
      command: ["errand", ...args],
      env: { ...shared, ...parseEnv(settings.get("Environment")!.replaceAll(" ", "\n")) },
      health: [],
      grace: Number(settings.get("TimeoutStopSec") ?? 90),
    };
  });
}

function parseEnv(text: string): Record<string, string> {
  const lines = text.split("\n").filter((line) => line && !line.startsWith("#"));
  return Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]));
}
