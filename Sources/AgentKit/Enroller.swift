import NIOCore
import NIOPosix
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

    /// From the connection to the answer; the gateway looks at a file or two meanwhile.
    private static let answerLimit = TimeAmount.seconds(30)

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
        let enrol = Enrol(fingerprint: identity.fingerprint.digest, secret: code.secret, software: software)
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let result: Result<Registration, any Error>
        do {
            result = .success(try await askPatiently(enrol, host: host, port: port, tls: tls, on: group.next()))
        } catch {
            result = .failure(error)
        }
        try await group.shutdownGracefully()
        return try result.get()
    }

    /// A gateway that is just being started is waited for.
    private func askPatiently(
        _ enrol: Enrol, host: String, port: Int, tls: TLSContext, on eventLoop: any EventLoop
    ) async throws -> Registration {
        let deadline = ContinuousClock.now + Self.startLimit
        while true {
            do {
                return try await ask(enrol, host: host, port: port, tls: tls, on: eventLoop)
            } catch let failure as UploadFailure where failure.kind == .unreachable && .now < deadline {
                try await Task.sleep(for: .milliseconds(250))
            }
        }
    }

    private func ask(
        _ enrol: Enrol, host: String, port: Int, tls: TLSContext, on eventLoop: any EventLoop
    ) async throws -> Registration {
        let answer = eventLoop.makePromise(of: Registration.self)
        let bootstrap = ClientBootstrap(group: eventLoop)
            .connectTimeout(Self.answerLimit)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    try pipeline.addHandler(tls.makeHandler())
                    try pipeline.addHandler(EnrolmentHandler(enrol: enrol, answer: answer))
                }
            }
        let channel: any Channel
        do {
            channel = try await bootstrap.connect(host: host, port: port).get()
        } catch {
            let failure = UploadFailure(.unreachable, "the gateway at \(host):\(port) could not be reached")
            answer.fail(failure)
            throw failure
        }
        let timeout = eventLoop.scheduleTask(in: Self.answerLimit) {
            answer.fail(UploadFailure(.unreachable, "the gateway does not answer"))
        }
        defer {
            timeout.cancel()
            channel.close(promise: nil)
        }
        return try await answer.futureResult.get()
    }
}

/// The one question and its answer.
private final class EnrolmentHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let enrol: Enrol
    private let answer: EventLoopPromise<Enroller.Registration>
    private var decoder = FrameDecoder(receiver: .agent)

    init(enrol: Enrol, answer: EventLoopPromise<Enroller.Registration>) {
        self.enrol = enrol
        self.answer = answer
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard event is TLSHandshakeCompleted else { return context.fireUserInboundEventTriggered(event) }
        var buffer = ByteBuffer()
        do throws(WireError) {
            try Frame.enrol(enrol).encode(slot: .connection, into: &buffer)
        } catch {
            answer.fail(error)
        }
        context.writeAndFlush(wrapOutboundOut(buffer), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        decoder.append(unwrapInboundIn(data))
        do throws(WireError) {
            guard case .frame(_, let frame) = try decoder.next() else { return }
            switch frame {
            case .enrolled(let enrolled):
                answer.succeed(Enroller.Registration(name: enrolled.name, prefix: enrolled.prefix))
            case .error(let report):
                answer.fail(refusal(report))
            default:
                answer.fail(UploadFailure(.protocolViolation))
            }
        } catch {
            answer.fail(UploadFailure(.protocolViolation))
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        answer.fail(UploadFailure(.unreachable, "the connection to the gateway was cut"))
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard let error = error as? TLSError else { return context.close(promise: nil) }
        // Without a live invitation the gateway refuses an unknown key in the handshake.
        let failure = UploadFailure(error) ?? UploadFailure(.unreachable)
        answer.fail(failure.kind == .notAuthorised ? InvitationRefused() : failure)
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
