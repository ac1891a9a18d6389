import { type NetworkInterfaceInfo, networkInterfaces } from "node:os";

/**
 * The addresses of this machine's network interfaces that are up, each with the name of its interface; `undefined` if the
 * system does not list them, as in a systemd unit whose `RestrictAddressFamilies=` lacks `AF_NETLINK`.
 */
export function interfaceAddresses():
  | readonly (NetworkInterfaceInfo & { readonly interface: string })[]
  | undefined {
  try {
    return Object.entries(networkInterfaces()).flatMap(([name, addresses = []]) =>
      addresses.map(address => ({ ...address, interface: name })),
    );
  } catch {
    return undefined;
  }
}
