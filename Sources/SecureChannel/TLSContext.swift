package import Cryptography

/// What a gateway, or an agent, needs to speak TLS: its identity, and whom it trusts. One serves all its connections.
///
/// ```swift
/// let context = try TLSContext.gateway(identity: identity, devices: .pinnedKeys { list.knows($0.fingerprint) })
/// try channel.pipeline.syncOperations.addHandler(try context.makeHandler(), position: .first)
/// ```
///
/// ## Clocks
///
/// With pinned keys the dates in certificates are ignored on both sides: a key is good until it is taken off the list,
/// and a device's clock may say anything. With an authority the gateway, whose clock is kept right, refuses
/// chains with a certificate that has expired or is not valid yet; agents ignore the dates, because a device with a
/// wrong clock could not tell it from a wrong certificate and would be locked out for good.
package final class TLSContext: Sendable {
    /// The version of what is spoken inside TLS; a peer that does not ask for it is refused in the handshake.
    package static let applicationProtocol = "sluice/1"

    /// How a gateway knows devices. `accepts` is asked in the midst of the handshake, on the connection's event loop:
    /// it must answer at once. Who is refused there learns so by the alert `unknown_ca`.
    package enum DeviceTrust: Sendable {
        /// By their keys; any certificate will do.
        case pinnedKeys(accepts: @Sendable (TLSPeer) -> Bool)
        /// By the name in a certificate that the authority signed; some by their keys still.
        /// - Parameters:
        ///   - isPinned: whether a key speaks for itself. Then it has no other name, whatever its certificate says.
        ///   - isAwaited: whether somebody may come whom the authority does not know, to enrol; who does has no name.
        ///   - accepts: asked about certificates of the authority only.
        case authority(
            CertificateAuthority, isPinned: @Sendable (Fingerprint) -> Bool, isAwaited: @Sendable () -> Bool,
            accepts: @Sendable (TLSPeer) -> Bool)
    }

    /// How an agent knows its gateway.
    package enum GatewayTrust: Sendable {
        /// By one of these keys, or by a chain of certificates that leads to one: so a site can change its key.
        case pinnedKeys(Set<Fingerprint>)
        /// By a certificate that the authority signed for this host name or address. Without the name any device of
        /// the authority could pose as the gateway.
        case authority(CertificateAuthority, gatewayName: String)
    }

    private let context: SSLContext
    private let limits: TLSLimits

    /// OpenSSL knows it by its address only.
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

    /// The server's side.
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

    /// The client's side.
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

    /// For one connection: the first handler of its pipeline, before the channel is active.
    package func makeHandler() throws(CryptographyError) -> TLSHandler {
        TLSHandler(connection: try SSLConnection(context), context: self, limits: limits)
    }
}
