import NIOCore
package import SecureChannel
import TransferCore
import WireProtocol

/// Takes up an invitation: makes the device's home, and has its key put on the gateway's list (specification §5.2).
package struct Enroller: Sendable {
    /// What the gateway's list has for the device from here on.
    package struct Registration: Equatable, Sendable {
        package let name: String
        /// What all its keys begin with; empty for any.
        package let prefix: String
    }

    /// How long it is tried again where nobody can be reached.
    private static let startLimit = Duration.seconds(5)

    private let home: AgentHome
    private let software: String

    /// - Parameter software: name and version, for the gateway's log.
    package init(home: AgentHome, software: String) {
        self.home = home
        self.software = software
    }

    /// - Parameters:
    ///   - name: for the device's certificate.
    ///   - code: from the gateway's operator; whatever happens, only the gateway that made it gets to see its secret.
    /// - Throws: `AgentHomeError`, `InvitationRefused`, `UploadFailure`, `CryptographyError`. A home that was made
    ///   stays: the same again, or another code of the same gateway, goes on with it.
    package func enrol(name: String, code: InvitationCode) async throws -> Registration {
        try home.createOrGoOn(name: name, gateway: code.gateway, pin: code.pin)
        let identity = try home.identity()
        let (host, port) = try home.gateway()
        let tls = try TLSContext.agent(identity: identity, gateway: .pinnedKeys([code.pin]))
        let question = GatewayQuestion(host: host, port: port, tls: tls)
        let enrol = Enrol(fingerprint: identity.fingerprint.digest, secret: code.secret, software: software)
        let answer = try await withEventLoop { try await ask(question, .enrol(enrol), on: $0) }
        switch answer {
        case .enrolled(let enrolled): return Registration(name: enrolled.name, prefix: enrolled.prefix)
        case .error(let report): throw refusal(report)
        default: throw UploadFailure(.protocolViolation)
        }
    }

    /// A gateway that is just being started is waited for.
    private func ask(_ question: GatewayQuestion, _ frame: Frame, on eventLoop: any EventLoop) async throws -> Frame {
        let deadline = ContinuousClock.now + Self.startLimit
        while true {
            do {
                return try await question.ask(frame, on: eventLoop).frame
            } catch let failure as UploadFailure where failure.kind == .unreachable && .now < deadline {
                try await Task.sleep(for: .milliseconds(250))
            } catch let error as TLSError {
                // Without a live invitation the gateway refuses an unknown key in the handshake.
                let failure = UploadFailure(error) ?? UploadFailure(.unreachable)
                if failure.kind == .notAuthorised { throw InvitationRefused() }
                throw failure
            }
        }
    }
}

/// The gateway does not take the invitation. It does not say why.
package struct InvitationRefused: Error, Equatable, Sendable {
    /// As for any device that is not authorised.
    package var exitCode: Int32 { UploadFailure.Kind.notAuthorised.exitCode }

    package var sentence: String {
        "\(ErrorCode.invitationInvalid.words); "
            + "ask the gateway's operator for a new one, made with sluice-gateway device invite"
    }
}

/// What the gateway's refusal of an ENROL means.
private func refusal(_ report: ErrorReport) -> any Error {
    switch report.code {
    case .invitationInvalid, .notAuthorised: InvitationRefused()
    case .tooManyConnections, .draining, .idle: UploadFailure(.unreachable, report.code.words)
    case .unexpectedFrame, .unknownType: UploadFailure(.versionUnsupported)
    default: UploadFailure(.protocolViolation, report.code.words)
    }
}
