package import Cryptography

/// The TLS settings of a gateway or an agent: its identity, and which peers it trusts. One context serves all
/// connections.
///
/// ```swift
/// let context = try TLSContext.gateway(identity: identity, devices: .pinnedKeys { list.knows($0.fingerprint) })
/// try channel.pipeline.syncOperations.addHandler(try context.makeHandler(), position: .first)
/// ```
///
/// ## Clocks
///
/// With pinned keys both sides ignore the dates in certificates: a key is valid until it is removed from the list, and
/// a device's clock may be wrong. With an authority, a gateway refuses chains with a certificate that has expired or is
/// not valid yet, because its clock is expected to be right. Agents ignore the dates here, too: otherwise a device with
/// a wrong clock would refuse every gateway.
package final class TLSContext: Sendable {
    /// The name and version of the protocol inside TLS. A peer that does not ask for this protocol is refused in the
    /// handshake.
    package static let applicationProtocol = "sluice/1"

    /// How a gateway recognises devices. The closure `accepts` is called during the handshake, on the connection's
    /// event loop, and must not block. If it returns `false`, the device gets the alert `unknown_ca`.
    package enum DeviceTrust: Sendable {
        /// Devices are recognised by their keys. The rest of their certificates is ignored.
        case pinnedKeys(accepts: @Sendable (TLSPeer) -> Bool)
        /// Devices are recognised by the name in a certificate of the authority, or by a pinned key.
        /// - Parameters:
        ///   - isPinned: returns whether a key is trusted even without a chain. The device then has no name in
        ///     `TLSPeer`.
        ///   - isAwaited: returns whether a device without a chain may connect in order to enrol. Such a device has no
        ///     name.
        ///   - accepts: called only for devices with a certificate of the authority.
        case authority(
            CertificateAuthority, isPinned: @Sendable (Fingerprint) -> Bool, isAwaited: @Sendable () -> Bool,
            accepts: @Sendable (TLSPeer) -> Bool)
    }

    /// How an agent recognises its gateway.
    package enum GatewayTrust: Sendable {
        /// The gateway has one of these keys, or presents a chain of certificates that leads to one of them. The chain
        /// lets a site change its key.
        case pinnedKeys(Set<Fingerprint>)
        /// The gateway has a certificate of the authority for this host name or address. If the name were not checked,
        /// any device with a certificate of the authority could pretend to be the gateway.
        case authority(CertificateAuthority, gatewayName: String)
    }

    private let context: SSLContext
    private let limits: TLSLimits

    /// Stored to keep it alive: OpenSSL holds only its address.
    private let verifier: PeerVerifier

    private init(
        side: SSLContext.Side, identity: Identity, verifier: PeerVerifier, authority: CertificateAuthority?,
        limits: TLSLimits
    ) throws(CryptographyError) {
        self.context = try SSLContext.make(
            side: side, identity: identity, verifier: verifier, authority: authority)
        self.verifier = verifier
        self.limits = limits
    }

    /// Makes the context of a gateway, the server.
    package static func gateway(
        identity: Identity, devices: DeviceTrust, limits: TLSLimits = TLSLimits()
    ) throws(CryptographyError) -> TLSContext {
        switch devices {
        case .pinnedKeys(let accepts):
            let verifier = PeerVerifier(trust: .key, expectation: .device(accepts))
            return try TLSContext(
                side: .server, identity: identity, verifier: verifier, authority: nil, limits: limits)
        case .authority(let authority, let isPinned, let isAwaited, let accepts):
            let verifier = PeerVerifier(
                trust: .authority(checksDates: true, isPinned: isPinned, isAwaited: isAwaited),
                expectation: .device { $0.name == nil || accepts($0) })
            return try TLSContext(
                side: .server, identity: identity, verifier: verifier, authority: authority, limits: limits)
        }
    }

    /// Makes the context of an agent, the client.
    package static func agent(
        identity: Identity, gateway: GatewayTrust, limits: TLSLimits = TLSLimits()
    ) throws(CryptographyError) -> TLSContext {
        switch gateway {
        case .pinnedKeys(let pins):
            let verifier = PeerVerifier(trust: .key, expectation: .gatewayWithKey(pins))
            return try TLSContext(
                side: .client, identity: identity, verifier: verifier, authority: nil, limits: limits)
        case .authority(let authority, let gatewayName):
            let verifier = PeerVerifier(
                trust: .authority(checksDates: false, isPinned: { _ in false }, isAwaited: { false }),
                expectation: .gatewayNamed(gatewayName))
            return try TLSContext(
                side: .client, identity: identity, verifier: verifier, authority: authority, limits: limits)
        }
    }

    /// Makes the handler of one connection. Add it as the first handler of the pipeline, before the channel is active.
    package func makeHandler() throws(CryptographyError) -> TLSHandler {
        TLSHandler(connection: try SSLConnection(context), context: self, limits: limits)
    }
}
