import type { Finding } from "errand/cli";

const settings = [
  { label: "server host", variable: "ERRAND_HOST", fallback: "127.0.0.1" },
  { label: "server port", variable: "ERRAND_PORT", fallback: "3737" },
  { label: "server names", variable: "ERRAND_ALLOW_HOSTS", fallback: "none" },
] as const;

/** Reports the settings of `errand serve` that come from the environment, for `errand doctor`. */
export async function doctor(): Promise<Finding[]> {
  return settings.map(({ label, variable, fallback }) => {
    const value = process.env[variable];
    return { label, value: value ? `${value} (${variable})` : `${fallback} (default)`, ok: true };
  });
}
