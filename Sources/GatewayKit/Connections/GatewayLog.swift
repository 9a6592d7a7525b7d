import Cryptography
package import Logging
package import NIOCore
package import SecureChannel
package import TransferCommon
package import TransferCore
import WireProtocol

/// What the gateway knows of the peer of a connection, for the log.
package struct LoggedPeer {
    var address: String
    /// The key that the handshake has proved; `nil` on plain TCP.
    var key: Fingerprint?
    /// The name in a certificate that the authority has signed.
    var name: String?

    /// - Parameters:
    ///   - address: the peer's address, which a balancer may have named.
    ///   - peer: what the handshake has proved; `nil` on plain TCP.
    package init(_ address: SocketAddress?, _ peer: TLSPeer?) {
        self.address = address?.ipAddress ?? "unknown"
        self.key = peer?.fingerprint
        self.name = peer?.name
    }

    fileprivate var metadata: Logger.Metadata {
        var metadata: Logger.Metadata = ["address": "\(address)"]
        if let key { metadata["fingerprint"] = "\(key)" }
        if let name { metadata["certificate"] = "\(LogValue.of(name))" }
        return metadata
    }
}

/// Writes what peers, devices and the gateway's state machine do to the log. `PeerLines` bounds the lines that peers
/// can cause.
package struct GatewayLog {
    private let logger: Logger
    private var lines = PeerLines()
    private var peers: [ConnectionID: LoggedPeer] = [:]
    /// Peers whose connections were lost while the shell performed actions. A note about them may still follow.
    private var lostPeers: [ConnectionID] = []

    package init(_ logger: Logger) {
        self.logger = logger
    }

    // MARK: Connections

    /// Keeps who is at the other end of a connection.
    package mutating func accepted(_ id: ConnectionID, _ peer: LoggedPeer) { peers[id] = peer }

    /// Notes that a connection has ended. Its peer is forgotten by `forgetLostPeers`.
    package mutating func lost(_ id: ConnectionID) { lostPeers.append(id) }

    /// Forgets the peers of lost connections. The shell calls this when it has performed all actions.
    package mutating func forgetLostPeers() {
        guard !lostPeers.isEmpty else { return }
        for id in lostPeers { peers[id] = nil }
        lostPeers = []
    }

    // MARK: Events

    /// Writes one note of the state machine.
    package mutating func write(_ note: GatewayNote, now: Instant) {
        let peer = note.connection.flatMap { peers[$0] }
        switch note {
        case .welcomed(let id, let device, _):
            logger.info("Welcomed", metadata: metadata(id, device, peer))
        case .fenced(let id, let device):
            write(.devices, .notice, "Ended a connection of an older run of a device", metadata(id, device, peer), now)
        case .ended(let id, let device, let code, let message):
            ended(code, message, metadata(id, device, peer), isWelcomed: device != nil, now)
        case .refused(let id, let device, let code, let message):
            let facts = metadata(id, device, peer).adding(code, message)
            write(.devices, .notice, "Refused what a device asked for", facts, now)
        case .opened(let session, let device, let key):
            logger.info("Opened a session", metadata: metadata(session, device, key))
        case .resumed(let session, let device, let key):
            logger.info("Resumed a session", metadata: metadata(session, device, key))
        case .completed(let session, let device, let key, let bytes):
            logger.info(
                "Completed an object", metadata: metadata(session, device, key).merging(["bytes": "\(bytes)"]) { $1 })
        case .aborted(let session, let device, let key):
            logger.info("Aborted a session", metadata: metadata(session, device, key))
        case .lost(let session, let device, let key):
            write(.devices, .warning, "The store lost a session", metadata(session, device, key), now)
        case .failed(let session, let device, let key, let code, let message):
            let facts = metadata(session, device, key).adding(code, message)
            write(.devices, .notice, "Refused a session", facts, now)
        case .partEvicted(let session, let part):
            logger.info("Evicted a part", metadata: ["session": "\(session)", "part": "\(part.value)"])
        case .unsigned(let device):
            write(.devices, .notice, "Could not sign a receipt", ["device": "\(device)"], now)
        case .storeUnavailable(let cause):
            logger.warning("The store takes no data; agents wait", metadata: ["cause": "\(cause)"])
        case .storeRecovered:
            logger.warning("The store takes data again")
        }
    }

    private mutating func ended(
        _ code: ErrorCode, _ message: String, _ metadata: Logger.Metadata, isWelcomed: Bool, _ now: Instant
    ) {
        let facts = metadata.adding(code, message)
        switch code {
        case .notAuthorised, .invitationInvalid:
            write(.refusedDevices, .notice, "Refused a device", facts, now)
        // These follow from what the gateway itself does. Each connected device would get a line.
        case .draining, .fenced:
            write(.devices, .info, "Ended a connection", facts, now)
        default:
            write(isWelcomed ? .devices : .connections, .notice, "Ended a connection", facts, now)
        }
    }

    /// Writes that TLS failed on a connection.
    package mutating func tlsFailed(_ error: TLSError, address: SocketAddress?, now: Instant) {
        let isRefusal =
            switch error.code {
            case .unknownDevice, .untrustedCertificate: true
            default: false
            }
        // Any host can cause failures by the thousand, so nothing is prepared for a line that is not written.
        let level = isRefusal ? Logger.Level.notice : .info
        guard logger.logLevel <= level else { return }
        var facts: Logger.Metadata = [
            "address": "\(address?.ipAddress ?? "unknown")", "tls.error": "\(error.shortDescription)",
            "reason": "\(error)",
        ]
        if let shown = error.shown {
            facts["fingerprint"] = "\(shown.fingerprint)"
            if let name = shown.name { facts["certificate"] = "\(LogValue.of(name))" }
            if shown.isOutOfDate { facts["reason"] = "The certificate, or one that signed it, is out of date." }
        }
        if error.code == .malformed {
            facts["reason"] = "The peer's bytes are not valid TLS; if it is an agent, leave out its --plaintext."
        }
        if let text = error.reason, logger.logLevel <= .debug { facts["tls.library"] = "\(text)" }
        if isRefusal {
            write(.refusedDevices, level, "Refused a device", facts, now)
        } else {
            write(.handshakes, level, "TLS failed", facts, now)
        }
    }

    /// Writes that a balancer's connection has no valid PROXY header.
    package mutating func refused(_ error: ProxyHeaderError, address: SocketAddress?, now: Instant) {
        let facts: Logger.Metadata = ["error": "\(error)", "address": "\(address?.ipAddress ?? "unknown")"]
        write(.proxyHeaders, .notice, "A balancer's connection has no valid PROXY header", facts, now)
    }

    /// Writes how many lines were left out, if no other line has said so. The caller calls this about once a second.
    package mutating func writeLeftOut(now: Instant) {
        for leftOut in lines.takeOverdue(now: now) { write(leftOut) }
    }

    // MARK: Lines

    private mutating func write(
        _ kind: PeerLines.Kind, _ level: Logger.Level, _ message: Logger.Message, _ metadata: Logger.Metadata,
        _ now: Instant
    ) {
        guard logger.logLevel <= level, case .write(let leftOut) = lines.line(about: kind, now: now) else { return }
        if leftOut > 0 { write(PeerLines.LeftOut(kind: kind, count: leftOut)) }
        logger.log(level: level, message, metadata: metadata)
    }

    private func write(_ leftOut: PeerLines.LeftOut) {
        logger.notice("\(leftOut.count) more lines about \(leftOut.kind.rawValue) were left out")
    }

    private func metadata(_ id: ConnectionID, _ device: String?, _ peer: LoggedPeer?) -> Logger.Metadata {
        var metadata = peer?.metadata ?? [:]
        metadata["connection"] = "\(id.value)"
        if let device { metadata["device"] = "\(device)" }
        return metadata
    }

    private func metadata(_ session: SessionID, _ device: String, _ key: String) -> Logger.Metadata {
        ["session": "\(session)", "device": "\(device)", "key": "\(LogValue.of(key))"]
    }
}

extension Logger.Metadata {
    fileprivate func adding(_ code: ErrorCode, _ message: String) -> Logger.Metadata {
        merging(["code": "\(code.name)", "reason": "\(message)"]) { $1 }
    }
}

extension GatewayNote {
    /// The connection that the note names; `nil` if it names none.
    fileprivate var connection: ConnectionID? {
        switch self {
        case .welcomed(let id, _, _), .fenced(let id, _), .ended(let id, _, _, _), .refused(let id, _, _, _): id
        case .opened, .resumed, .completed, .aborted, .lost, .failed, .unsigned, .partEvicted, .storeUnavailable,
            .storeRecovered:
            nil
        }
    }
}
