import NIOCore
import NIOPosix
import SecureChannel
package import TransferCommon
package import TransferCore
import WireProtocol

/// Decides when to tell the user that the run waits: for a gateway, or because the connected gateway or its store
/// refuses for now. The user learns it soon after the run has begun to wait, and then once a minute, whatever the
/// number of files that wait. Has no clock and no timer.
///
///     from     event                                                                to
///     present  the run has work and waits                                           away
///     away     the run makes progress, or nothing is left to do                     present
package struct GatewayAbsence: Sendable {
    /// A message to the user that the run waits.
    package struct Notice: Equatable, Sendable {
        /// Why the run waits: what the connected gateway said, or why none is connected as far as the last attempt
        /// shows.
        package var reason: String
        /// How long the run continues to try. Progress in other work of the run may make it longer.
        package var rest: Duration
        /// Whether a gateway is connected.
        package var isConnected: Bool

        package init(reason: String, rest: Duration, isConnected: Bool = false) {
            self.reason = reason
            self.rest = rest
            self.isConnected = isConnected
        }
    }

    private enum State {
        case present
        case away(since: Instant, reason: String?)
    }

    /// The user should know within two seconds. A shorter wait is usual, because a gateway that restarts or moves is
    /// away for a moment.
    package static let firstNotice = Duration.milliseconds(1_500)
    package static let interval = Duration.seconds(60)

    private var state = State.present
    /// The last notice, also of an earlier absence: a link that comes and goes causes no more notices than one that is
    /// away.
    private var lastNotice: Instant?
    /// The last connection of which the cause of its end was known before it ended, and that cause.
    private var explained: (id: ConnectionID, reason: String)?

    package init() {}

    /// The reason of the last attempt to connect; `nil` if the run does not wait, or if no attempt has ended yet.
    package var reason: String? {
        if case .away(_, let reason) = state { reason } else { nil }
    }

    /// Keeps why a connection is about to end. Its end itself gives no better reason.
    package mutating func connectionEnds(_ id: ConnectionID, _ reason: String) {
        explained = (id, reason)
        connectionFailed(id, reason)
    }

    /// Keeps the reason for the next notice. The shell calls this after an attempt to connect has failed and after a
    /// connection has ended.
    package mutating func connectionFailed(_ id: ConnectionID, _ reason: String) {
        guard case .away(let since, _) = state else { return }
        state = .away(since: since, reason: explained?.id == id ? explained?.reason : reason)
    }

    /// Decides whether a notice is due. The shell calls this after every event.
    ///
    /// - Parameters:
    ///   - wait: what the run waits for, and when it gives up; `nil` if it does not wait.
    ///   - now: read only if it is needed, because this method is called often.
    /// - Returns: what to tell the user now; `nil` if nothing is due.
    package mutating func notice(of wait: RunWait?, now: @autoclosure () -> Instant) -> Notice? {
        guard let wait else {
            state = .present
            return nil
        }
        let now = now()
        guard case .away(_, let reason) = state else {
            state = .away(since: now, reason: nil)
            return nil
        }
        guard let due = nextDeadline, due <= now else { return nil }
        lastNotice = now
        let rest = wait.until.since(now)
        if let refusal = wait.refusal {
            let said = refusal.message.asBeginningOfSentence
            return Notice(reason: said.isEmpty ? refusal.code.words : said, rest: rest, isConnected: true)
        }
        return Notice(reason: reason ?? "no answer yet", rest: rest)
    }

    /// When the next notice is due; `nil` while no gateway is missed.
    package var nextDeadline: Instant? {
        guard case .away(let since, _) = state else { return nil }
        return max(since + Self.firstNotice, lastNotice.map { $0 + Self.interval } ?? since)
    }

    // MARK: Reasons

    /// Reason in a notice after a connection to the gateway has ended.
    static let connectionEnded = "the connection has ended"

    /// Why the agent could not connect, in words.
    static func reason(_ error: any Error) -> String {
        switch error {
        case let error as NIOConnectionError:
            // A device without IPv6 fails at once at such addresses, which says nothing of the gateway.
            let telling = error.connectionErrors.first { !isOfOwnNetwork($0.error) } ?? error.connectionErrors.first
            return telling.map { reason($0.error) } ?? "the host name \(error.host) cannot be resolved"
        case let error as IOError: return lowercasedFirst(systemMessage(error.errnoCode))
        case ChannelError.connectTimeout(let limit):
            return "no answer within \(limit.nanoseconds / 1_000_000_000) s"
        case let error as InterfaceUnusable: return error.description
        default: return "the connection could not be made"
        }
    }

    /// Why a TLS connection failed, in words, if another attempt may succeed.
    static func reason(_ error: TLSError) -> String {
        switch error.code {
        case .handshakeInterrupted:
            "the connection was closed during the TLS handshake, as a server does that does not speak TLS or refuses "
                + "connections"
        case .handshakeTimedOut: "the server there did not answer the TLS handshake"
        default: connectionEnded
        }
    }

    /// What a gateway said before it closed the connection, in words.
    static func reason(_ report: ErrorReport) -> String {
        let said = report.message.asBeginningOfSentence
        return "the gateway closed the connection: \(said.isEmpty ? report.code.words : said)"
    }

    private static func isOfOwnNetwork(_ error: any Error) -> Bool {
        guard let code = (error as? IOError)?.errnoCode else { return false }
        return [ENETUNREACH, EADDRNOTAVAIL, EAFNOSUPPORT].contains(code)
    }

    private static func lowercasedFirst(_ text: String) -> String {
        text.prefix(1).lowercased() + text.dropFirst()
    }
}
