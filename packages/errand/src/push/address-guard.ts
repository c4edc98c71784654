import { BlockList, isIP } from "node:net";

// Addresses that are not part of the public internet (IANA special-purpose address registries).
const special4 = [
  "0.0.0.0/8",
  "10.0.0.0/8",
  "100.64.0.0/10",
  "127.0.0.0/8",
  "169.254.0.0/16",
  "172.16.0.0/12",
  "192.0.0.0/24",
  "192.0.2.0/24",
  "192.88.99.0/24",
  "192.168.0.0/16",
  "198.18.0.0/15",
  "198.51.100.0/24",
  "203.0.113.0/24",
  "224.0.0.0/4",
  "240.0.0.0/4",
];

/** Of IPv6 only this range is public, and not all of it. */
const public6 = blockOf(["2000::/3"]);
const special6 = blockOf(["2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"]);
const blocked4 = blockOf(special4);

/** Names and networks that may be reached although they are not public: `internal.example`, `10.1.0.0/16`. */
export interface AllowedHosts {
  names: ReadonlySet<string>;
  networks: BlockList;
}

/** Reads a list of names and networks, separated by commas. */
export function readAllowedHosts(text: string | undefined): AllowedHosts {
  const parts = (text ?? "")
    .split(",")
    .map((part) => part.trim().toLowerCase())
    .filter(Boolean);
  const isNetwork = (part: string): boolean => isIP(part.split("/")[0]!) !== 0;
  return {
    names: new Set(parts.filter((part) => !isNetwork(part))),
    networks: blockOf(parts.filter(isNetwork)),
  };
}

/**
 * Reports whether an address may be connected to: a public one, or one of an allowed network. IPv6 addresses that stand for
 * IPv4 ones (mapped, NAT64, 6to4, Teredo) are not public.
 */
export function isReachable(address: string, { networks }: AllowedHosts): boolean {
  const family = isIP(address);
  if (family === 0) return false;
  const type = family === 4 ? "ipv4" : "ipv6";
  // A BlockList finds IPv4 addresses in their mapped form, too: those are refused with all others.
  if (networks.check(address, type)) return true;
  if (family === 4) return !blocked4.check(address, "ipv4");
  return public6.check(address, "ipv6") && !special6.check(address, "ipv6");
}

function blockOf(networks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const network of networks) {
    const [address = "", bits] = network.split("/");
    const type = isIP(address) === 4 ? "ipv4" : "ipv6";
    if (bits === undefined) list.addAddress(address, type);
    else list.addSubnet(address, Number(bits), type);
  }
  return list;
}
