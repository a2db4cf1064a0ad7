/** The two parts of @stoprocent/noble 2.8.0 that are used, as they are; the package declares types for its front door only. */

declare module '@stoprocent/noble/lib/hci-socket/hci.js' {
  export interface HciDevice {
    readonly devId: number | null;
    readonly devUp: boolean | null;
  }

  export interface HciSocket {
    on(event: 'error', listener: (error: Error & { readonly errno?: number }) => void): unknown;
    getDeviceList(): readonly HciDevice[] | Promise<readonly HciDevice[]>;
    readonly bindRaw: (device?: number, parameters?: unknown) => number;
    readonly bindUser: (device?: number, parameters?: unknown) => number;
    write(packet: Buffer): void;
  }

  type Report = (status: number, type: number, address: string, addressType: string, bytes: Buffer, rssi: number) => void;
  type ExtendedReport = (
    status: number,
    type: number,
    address: string,
    addressType: string,
    power: number,
    rssi: number,
    bytes: Buffer,
  ) => void;

  export default class Hci {
    constructor(options?: { readonly deviceId?: number; readonly userChannel?: boolean });
    readonly _socket: HciSocket;
    readonly _isExtended: boolean;
    _deviceId: number | undefined;
    _userChannel: boolean;
    init(): void;
    stop(): void;
    onSocketData(packet: Buffer): void;
    setScanParameters(): void;
    setScanEnabled(isEnabled: boolean, isFiltered: boolean): void;
    on(event: 'stateChange', listener: (state: string) => void): unknown;
    on(event: 'leScanEnableSet', listener: (status: number) => void): unknown;
    on(event: 'leScanEnableSetCmd', listener: (isEnabled: boolean, isFiltered: boolean) => void): unknown;
    on(event: 'leAdvertisingReport', listener: Report): unknown;
    on(event: 'leExtendedAdvertisingReport', listener: ExtendedReport): unknown;
  }
}

declare module '@stoprocent/noble/lib/resolve-bindings.js' {
  /** @returns a Noble that starts nothing yet. The front door of the package makes one of its own by being imported. */
  export default function withBindings(kind: 'hci', options: { readonly deviceId: number; readonly userChannel: boolean }): unknown;
}
