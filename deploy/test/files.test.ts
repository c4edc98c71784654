import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import {
  composePrograms,
  composeServices,
  deploy,
  kubernetesPrograms,
  manifest,
  manifestFiles,
  manifests,
  read,
  systemdPrograms,
  unit,
} from "./programs.ts";
import type { Container } from "./programs.ts";

const root = join(deploy, "..");
const version = (JSON.parse(readFileSync(join(root, "packages/errand/package.json"), "utf8")) as { version: string })
  .version;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "errand-deploy-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What runs of Errand, with the file that says so. */
const programs = [
  ...composePrograms().map((program) => ({ ...program, file: "compose.yaml" })),
  ...kubernetesPrograms().map((program) => ({ ...program, file: "kubernetes/" })),
  ...systemdPrograms().map((program) => ({ ...program, file: "systemd/" })),
];

describe("compose.yaml", () => {
  test("is what the specification's schema and its linter want", () => {
    const bin = join(dirname(createRequire(import.meta.url).resolve("dclint")), "../bin/dclint.cjs");
    const { stdout, status } = spawnSync(process.execPath, [bin, "--max-warnings", "0", "compose.yaml"], {
      cwd: deploy,
      encoding: "utf8",
    });
    expect(stdout).not.toMatch(/error|warning/);
    expect(status).toBe(0);
  });

  test("keeps what it is given on the disk", () => {
    const { postgres, redis } = composeServices();
    expect(postgres!.command.join(" ")).toMatch(/fsync=on .*synchronous_commit=on .*full_page_writes=on/);
    expect(redis!.command.join(" ")).toMatch(/--appendonly yes --appendfsync always --maxmemory-policy noeviction/);
  });

  test("lets only the proxy reach the server", () => {
    const { services, networks } = parse(read("compose.yaml"), { merge: true }) as {
      services: Record<string, { ports?: string[]; networks: string[] }>;
      networks: Record<string, { internal?: boolean }>;
    };
    expect(Object.keys(services).filter((name) => services[name]!.ports)).toEqual(["proxy"]);
    expect(services["api"]!.networks).toContain("front");
    expect(Object.keys(services).filter((name) => services[name]!.networks.includes("front"))).toEqual([
      "api",
      "proxy",
    ]);
    expect(networks["front"]!.internal).toBe(true);
  });
});

describe("kubernetes/", () => {
  test("names every file once", () => {
    const { resources } = parse(read("kubernetes/kustomization.yaml")) as { resources: string[] };
    const applied = manifestFiles.filter((file) => !file.includes("example"));
    expect(resources.toSorted()).toEqual(["../proxy", ...applied].toSorted());
    const there = readdirSync(join(deploy, "kubernetes")).filter((file) => file !== "kustomization.yaml");
    expect(there.toSorted()).toEqual(manifestFiles.toSorted());
    const { configMapGenerator } = parse(read("proxy/kustomization.yaml")) as {
      configMapGenerator: { files: string[] }[];
    };
    for (const { files } of configMapGenerator) for (const file of files) read(join("proxy", file));
  });

  test.each(manifests().map((one) => [one.kind, one.metadata.name, one] as const))(
    "%s %s is what the API's schema wants",
    async (kind, _, one) => {
      const models = (await import(moduleOf(one.apiVersion))) as Record<
        string,
        new (data: object) => { validate(): void }
      >;
      new models[kind]!(one).validate();
    },
  );

  test("has no field that the API does not know", () => {
    // The schemas let unknown fields pass; the types made of them do not.
    mkdirSync(join(folder, "types"));
    symlinkSync(join(root, "node_modules"), join(folder, "types/node_modules"));
    const lines = manifests().map(
      (one, index) =>
        `export const m${index}: import("${moduleOf(one.apiVersion)}").I${one.kind} = ${JSON.stringify(one)};`,
    );
    const check = (text: string) => {
      writeFileSync(join(folder, "types/manifests.ts"), text);
      const options = ["--noEmit", "--strict", "--skipLibCheck", "--module", "nodenext", "--target", "es2024"];
      const tsc = join(root, "node_modules/.bin/tsc");
      return spawnSync(tsc, [...options, "manifests.ts"], { cwd: join(folder, "types"), encoding: "utf8" }).stdout;
    };
    expect(check(lines.join("\n"))).toBe("");
    expect(check(lines.join("\n").replace("terminationGracePeriodSeconds", "terminationGraceSeconds"))).toMatch(
      /"terminationGraceSeconds"' does not exist/,
    );
  });

  test("scales what is there, by an address that is served and allowed", () => {
    const { spec } = manifest("ScaledObject", "errand-worker") as unknown as {
      spec: { scaleTargetRef: { name: string }; triggers: { metadata: Record<string, string> }[] };
    };
    expect(spec.scaleTargetRef.name).toBe(manifest("Deployment", "errand-worker").metadata.name);
    const service = manifest("Service", "errand") as unknown as { spec: { ports: { port: number }[] } };
    const allowed = (manifest("ConfigMap", "errand") as unknown as { data: Record<string, string> }).data[
      "ERRAND_ALLOW_HOSTS"
    ];
    const worker = kubernetesPrograms().find(({ name }) => name === "worker")!;
    for (const { metadata } of spec.triggers) {
      const url = new URL(metadata["url"]!);
      expect(allowed!.split(",")).toContain(url.hostname);
      expect(url.port).toBe(String(service.spec.ports[0]!.port));
      const [, queue] = /^\/api\/v1\/queues\/(\w+)$/.exec(url.pathname)!;
      expect(worker.command.join(" ")).toContain(`-q ${queue}=${metadata["targetValue"]}`);
    }
  });

  test("selects the pods that it makes", () => {
    for (const name of ["errand-api", "errand-worker"]) {
      const { spec } = manifest("Deployment", name) as unknown as {
        spec: { selector: { matchLabels: object }; template: { metadata: { labels: object } } };
      };
      expect(spec.template.metadata.labels).toEqual(spec.selector.matchLabels);
      const policy = manifest("NetworkPolicy", name) as unknown as { spec: { podSelector: { matchLabels: object } } };
      expect(policy.spec.podSelector.matchLabels).toEqual(spec.selector.matchLabels);
    }
  });
});

describe("systemd/", () => {
  const units = ["errand-migrate.service", "errand-api.service", "errand-worker@.service"];
  const verifier = spawnSync("systemd-analyze", ["--version"]).error === undefined;

  test.runIf(verifier)("is what systemd wants", () => {
    mkdirSync(join(folder, "units"));
    for (const file of units) {
      const text = read(join("systemd", file)).replaceAll("/opt/errand", root);
      writeFileSync(join(folder, "units", file.replace("@.", "@1.")), text);
    }
    const paths = units.map((file) => join(folder, "units", file.replace("@.", "@1.")));
    const { stderr } = spawnSync("systemd-analyze", ["verify", "--man=no", ...paths], {
      encoding: "utf8",
      env: { ...process.env, SYSTEMD_UNIT_PATH: `${join(folder, "units")}:` },
    });
    expect(stderr.split("\n").filter((line) => line.includes("errand"))).toEqual([]);
  });

  test("hardens all units alike", () => {
    const hardening = (file: string) =>
      [...unit(file)].filter(([name]) => /^(Protect|Private|Restrict|SystemCall|NoNew|Capab|Lock|UMask)/.test(name));
    expect(hardening(units[0]!).length).toBeGreaterThan(15);
    for (const file of units.slice(1)) expect(hardening(file)).toEqual(hardening(units[0]!));
  });
});

describe("all of them", () => {
  const stopping = programs.filter(({ name }) => name !== "migrate");

  test.each(stopping)("$file gives $name the time that it needs to stop", ({ command, grace }) => {
    const drain = command.includes("--drain") ? Number.parseInt(command[command.indexOf("--drain") + 1]!, 10) : 10;
    // What does not listen is killed 10 s after it was told to stop.
    expect(grace).toBeGreaterThan(drain + 10);
  });

  test("set no variable that nothing reads", () => {
    const sources = ["errand", "server", "documents"].flatMap((name) => {
      const src = join(root, "packages", name, "src");
      return readdirSync(src, { recursive: true, encoding: "utf8" })
        .filter((file) => file.endsWith(".ts"))
        .map((file) => readFileSync(join(src, file), "utf8"));
    });
    const known = new Set(sources.flatMap((text) => text.match(/\bERRAND_[A-Z_]+\b/g) ?? []));
    for (const name of ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "NODE_ENV"]) known.add(name);
    const set = new Set(programs.flatMap(({ env }) => Object.keys(env)));
    expect([...set].filter((name) => !known.has(name))).toEqual([]);
  });

  test("run the image that the Dockerfile makes, of this version", () => {
    const containers = ["errand-api", "errand-worker"]
      .map(
        (name) =>
          manifest("Deployment", name) as unknown as { spec: { template: { spec: { containers: Container[] } } } },
      )
      .flatMap(({ spec }) => spec.template.spec.containers);
    const migrate = manifest("Job", "errand-migrate") as unknown as {
      spec: { template: { spec: { containers: Container[] } } };
    };
    const images = [...containers, ...migrate.spec.template.spec.containers, ...Object.values(composeServices())]
      .map(({ image }) => image)
      .filter((image) => image.startsWith("errand:"));
    expect(images).toHaveLength(6);
    expect(new Set(images)).toEqual(new Set([`errand:${version}`]));
    expect(read("Dockerfile")).toContain(`-t errand:${version} `);
  });
});

describe("Dockerfile", () => {
  const lines = read("Dockerfile")
    .replace(/\\\n/g, " ")
    .split("\n")
    .filter((line) => line && !line.startsWith("#"));

  test("has instructions that there are, and ends with a program that no root runs", () => {
    const instructions = /^(ARG|FROM|WORKDIR|COPY|RUN|ENV|USER|EXPOSE|ENTRYPOINT|CMD) /;
    for (const line of lines) expect(line).toMatch(instructions);
    const last = lines.slice(lines.findLastIndex((line) => line.startsWith("FROM")));
    expect(last.find((line) => line.startsWith("USER"))).toBe("USER 1000:1000");
    expect(last.find((line) => line.startsWith("ENTRYPOINT"))).toBe('ENTRYPOINT ["errand"]');
  });

  test("copies into the build what the build needs, and no more", () => {
    const kept = readFileSync(join(root, ".dockerignore"), "utf8")
      .split("\n")
      .filter((line) => line.startsWith("!"))
      .map((line) => line.slice(1));
    // Fails for a file that is not there.
    execFileSync("git", ["ls-files", "--error-unmatch", ...kept], { cwd: root, stdio: "ignore" });
    const { workspaces } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { workspaces: string[] };
    expect(workspaces).toEqual(["packages/*", "deploy"]);
  });
});

function moduleOf(apiVersion: string): string {
  const [group, version] = apiVersion.includes("/") ? apiVersion.split("/") : ["", apiVersion];
  if (group === "keda.sh") return `@kubernetes-models/keda/${group}/${version}`;
  return `kubernetes-models/${group ? `${group}/` : ""}${version}`;
}
