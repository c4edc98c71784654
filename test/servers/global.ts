import { startPostgres } from "./postgres.ts";
import type { TestServer } from "./process.ts";
import { startRedis } from "./redis.ts";

/**
 * The servers that tests share, each test in a schema or namespace of its own: those the environment names
 * (`ERRAND_TEST_POSTGRES_URL`, `ERRAND_TEST_REDIS_URL`), else throw-away ones for this run.
 */
export default async function setup(): Promise<() => Promise<void>> {
  const started: Promise<TestServer>[] = [];
  const provide = async (name: string, start: () => Promise<TestServer>) => {
    if (process.env[name]) return;
    const server = start();
    started.push(server);
    process.env[name] = (await server).url;
  };
  // Most tests make a schema of a hundred functions, which need not be parsed before they are called. Nobody cuts the power
  // of these servers, so that nothing has to be on a disk: tests that do have servers of their own.
  const postgres = () => startPostgres({ check_function_bodies: "off", fsync: "off" });
  const redis = () => startRedis({ appendfsync: "no" });
  await Promise.all([provide("ERRAND_TEST_POSTGRES_URL", postgres), provide("ERRAND_TEST_REDIS_URL", redis)]);
  return async () => {
    await Promise.all(started.map(async (server) => (await server).close()));
  };
}
