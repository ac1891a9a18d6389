import { type NetworkInterfaceInfo, networkInterfaces } from "node:os";

/**
 * The addresses of this machine's network interfaces that are up, each with the name of its interface. `undefined`
 * where the system does not list them, as in a unit of systemd whose `RestrictAddressFamilies=` lacks `AF_NETLINK`:
 * what they are needed for has to do without.
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
