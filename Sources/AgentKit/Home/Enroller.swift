package import Cryptography
import NIOCore
import SecureChannel
import Settings
package import SystemSupport
import TransferCore
import WireProtocol

/// Redeems an invitation: makes the device's home and registers its key with the gateway (specification §5.2).
package struct Enroller: Sendable {
    /// The device's entry in the gateway's device list.
    package struct Registration: Equatable, Sendable {
        package let name: String
        /// The prefix with which every key of the device must start; empty if the device may write any key.
        package let prefix: String
        /// Whether an earlier invitation has registered this home, so that the new one was not used.
        package let wasKnown: Bool
    }

    private static let startLimit = Duration.seconds(5)

    private let home: AgentHome
    private let software: String

    /// - Parameter software: name and version of this program, for the gateway's log.
    package init(home: AgentHome, software: String) {
        self.home = home
        self.software = software
    }

    /// - Parameters:
    ///   - name: name in the device's certificate.
    ///   - code: invitation code from the gateway's operator. Its secret is sent only to the gateway that made the
    ///     code.
    ///   - repins: whether an existing home that trusts another gateway shall trust this one instead, if it accepts the
    ///     invitation.
    /// - Throws: `AgentHomeError`, `EnrolmentFailure`, `CryptographyError`. After an error the home remains. Another
    ///   call with this code, or with another code of the same gateway, continues with this home.
    package func enrol(
        name: String, keyType: KeyType, code: InvitationCode, repins: Bool = false
    ) async throws -> Registration {
        if repins {
            try home.check()
        } else {
            try home.createOrGoOn(name: name, gateway: code.gateway, pin: code.pin, keyType: keyType)
        }
        let identity = try home.identity()
        guard let endpoint = Endpoint(argument: code.gateway) else {
            throw EnrolmentFailure(UploadFailure(.protocolViolation))
        }
        let tls = try TLSContext.agent(identity: identity, gateway: .pinnedKeys([code.pin]))
        let question = GatewayQuestion(host: endpoint.host, port: endpoint.port, tls: tls)
        let enrol = Enrol(fingerprint: identity.fingerprint.digest, secret: code.secret, software: software)
        let answer = try await withEventLoop { try await ask(question, .enrol(enrol), on: $0) }
        switch answer.frame {
        case .enrolled(let enrolled):
            if repins { try Repinning(home).trust(pin: code.pin, gateway: code.gateway) }
            // Ignore a failure: the next connection pins the key.
            home.pin(proved: answer.provenKey, next: nil)
            let mark = EnrolmentMark(home)
            let wasKnown = try mark.isOfAnother(code)
            try mark.set(code, replacing: repins)
            return Registration(name: enrolled.name, prefix: enrolled.prefix, wasKnown: wasKnown && !repins)
        case .error(let report): throw EnrolmentFailure(report)
        default: throw EnrolmentFailure(UploadFailure(.protocolViolation))
        }
    }

    /// Retries while the gateway is unreachable, because it may be starting.
    private func ask(
        _ question: GatewayQuestion, _ frame: Frame, on eventLoop: any EventLoop
    ) async throws -> GatewayQuestion.Answer {
        let deadline = ContinuousClock.now + Self.startLimit
        while true {
            do {
                return try await question.ask(frame, on: eventLoop)
            } catch let failure as UploadFailure where failure.kind == .unreachable && .now < deadline {
                try await Task.sleep(for: .milliseconds(250))
            } catch let failure as UploadFailure {
                throw EnrolmentFailure(failure)
            } catch let error as TLSError {
                guard error.code != .malformed else { throw EnrolmentFailure.withoutTLS }
                throw EnrolmentFailure(
                    UploadFailure(error) ?? UploadFailure(.unreachable, GatewayAbsence.reason(error)))
            }
        }
    }
}

/// Why an invitation could not be redeemed: a sentence with advice, and an exit status.
package struct EnrolmentFailure: Error, Equatable, Sendable {
    /// The exit status of the command; `push` has the same status for the same failure.
    package let exitStatus: ProgramExit
    package let sentence: String

    fileprivate init(_ kind: UploadFailure.Kind, _ sentence: String) {
        self.exitStatus = kind.exitStatus
        self.sentence = sentence
    }

    fileprivate init(_ failure: UploadFailure) {
        switch failure.kind {
        case .notAuthorised:
            // A gateway without an open invitation refuses unknown keys in the handshake already.
            self = .refused
        case .gatewayUntrusted:
            self.init(
                failure.kind,
                "the server at that address is not the gateway that made the code; ask the gateway's operator for a "
                    + "new code, made with sluice-gateway device invite")
        case .versionUnsupported:
            self.init(failure.kind, failure.sentence(.runAgain))
        case .protocolViolation:
            self.init(
                failure.kind,
                "the server at that address is not a sluice-gateway; ask the gateway's operator for the right address")
        default:
            self.init(failure.kind, "\(failure.cause); run the same command again with the same code")
        }
    }

    fileprivate init(_ report: ErrorReport) {
        switch report.code {
        case .invitationInvalid, .notAuthorised: self = .refused
        case .tooManyConnections, .draining: self.init(UploadFailure(.busy, report.code.words))
        case .idle: self.init(UploadFailure(.unreachable, "the gateway took too long"))
        case .internal: self.init(UploadFailure(.busy, "the gateway had an internal error, which is in its log"))
        case .unexpectedFrame, .unknownType: self.init(UploadFailure(.versionUnsupported))
        default: self.init(UploadFailure(.protocolViolation))
        }
    }

    fileprivate static let withoutTLS = EnrolmentFailure(
        .protocolViolation,
        "the server at that address does not speak TLS: it is no sluice-gateway, or one that serves with --plaintext, "
            + "which takes no invitation; ask the gateway's operator for the right address, or to serve without "
            + "--plaintext")

    /// One message for several reasons, because the gateway does not reveal why it refuses an invitation.
    private static let refused = EnrolmentFailure(
        .notAuthorised,
        "the invitation is unknown, used or expired; ask the gateway's operator for a new one, "
            + "made with sluice-gateway device invite")
}
