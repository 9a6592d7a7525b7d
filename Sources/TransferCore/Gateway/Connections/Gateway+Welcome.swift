import TransferCommon
import WireProtocol

// WELCOME: the limits of a connection, and the initial credit that is reserved for it.

extension Gateway {
    /// Reserves the initial credit of a connection. All initial credit together takes at most half of each budget, so
    /// that idle connections do not keep parts out. While the store is known to be down or full, the gateway grants no
    /// initial credit, because the agent would send those bytes for nothing.
    mutating func reserveCredit(for device: AuthorisedDevice) -> UInt32 {
        let limits = context.limits(of: device.fingerprint)
        let wanted = UInt64(limits.grantedCreditBytes)
        guard context.breaker.isTrusting,
            context.reservations.reserveCredit(
                wanted, device: device.fingerprint, deviceMax: limits.budgetBytesPerDevice)
        else { return 0 }
        return limits.grantedCreditBytes
    }

    mutating func welcome(
        _ hello: Hello, from id: ConnectionID, device: AuthorisedDevice, capabilities: Capabilities,
        creditBytes: UInt32
    ) {
        let limits = context.limits(of: device.fingerprint)
        let parts = limits.grantedParts
        let welcome = Welcome(
            version: WireLimits.version, capabilities: capabilities, slotsMax: limits.slotsMax,
            chunkBytesMax: limits.chunkBytesMax, initialCreditBytes: creditBytes, partBytesMin: parts.partBytesMin,
            partBytesMax: parts.partBytesMax, partBytesDefault: parts.partBytesDefault,
            partsMax: parts.partsMax, objectBytesMax: parts.objectBytesMax,
            putLimitMilliseconds: limits.namedPutLimit.wireMilliseconds,
            idleLimitMilliseconds: limits.idleLimit.wireMilliseconds, serverTime: context.wallMilliseconds,
            software: software, deviceName: device.name, prefix: device.prefix, storeIdentity: limits.storeIdentity,
            receiptKey: context.cryptography.receiptKey?.publicKey ?? [], nextSiteKey: nextSiteKey)
        context.actions.append(.send(id, .connection, .welcome(welcome)))
        context.actions.append(.note(.welcomed(id, device: device.name, run: hello.run)))
    }
}
