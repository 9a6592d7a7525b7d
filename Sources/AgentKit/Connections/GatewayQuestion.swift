package import Cryptography
import NIOCore
import NIOPosix
import SecureChannel
import SystemSupport
import TransferCommon
import TransferCore
package import WireProtocol

/// One frame to a gateway and the one that answers it, on a connection of its own.
package struct GatewayQuestion {
    /// How the connection looked meanwhile.
    package struct Answer: Sendable {
        package var frame: Frame
        /// The key that the gateway proved.
        package var provenKey: Fingerprint?
        /// As the kernel measured it while it connected; `nil` where it does not tell.
        package var roundTrip: Duration?
        /// `ADDRESS:PORT` that answered.
        package var address: String
    }

    /// From the connection to the answer.
    private static let answerLimit = TimeAmount.seconds(30)

    let host: String
    let port: Int
    let tls: TLSContext
    /// What the connection goes out by; `nil` for as the system's routes have it.
    var interface: String?

    /// Sends HELLO and returns the answer.
    ///
    /// - Throws: `UploadFailure` where no gateway that this home trusts answers.
    package static func greet(
        host: String, port: Int, home: AgentHome, identity: Identity, software: String, interface: String?
    ) async throws -> Answer {
        let tls = try TLSContext.agent(identity: identity, gateway: home.gatewayTrust())
        var generator = SystemRandomNumberGenerator()
        let hello = Hello(
            versionMin: WireLimits.version, versionMax: WireLimits.version, capabilities: [],
            fingerprint: identity.fingerprint.digest, run: .random(using: &generator),
            pins: try home.pins().keys.map(\.digest), software: software)
        do {
            return try await withEventLoop {
                try await GatewayQuestion(host: host, port: port, tls: tls, interface: interface)
                    .ask(.hello(hello), on: $0)
            }
        } catch let error as TLSError {
            throw UploadFailure(error) ?? UploadFailure(.unreachable)
        }
    }

    /// - Parameter frame: what may be said first on a connection.
    /// - Throws: `TLSError` as it came, `UploadFailure` for everything else. An ERROR is an answer.
    func ask(_ frame: Frame, on eventLoop: any EventLoop) async throws -> Answer {
        let answer = eventLoop.makePromise(of: ProvenFrame.self)
        let bootstrap = ClientBootstrap(group: eventLoop)
            .connectTimeout(Self.answerLimit)
            .channelInitializer { [tls, interface] channel in
                let prepared: EventLoopFuture<Void> = channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    try pipeline.addHandler(tls.makeHandler())
                    try pipeline.addHandler(QuestionHandler(question: frame, answer: answer))
                }
                return prepared.flatMap { NetworkInterfaces.bind(channel, to: interface) }
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
        let roundTrip = try? await CongestionControl.roundTrip(of: channel)  // Told where the kernel tells it.
        let answered = try await answer.futureResult.get()
        let address = channel.remoteAddress.flatMap { address in
            address.ipAddress.map { "\($0):\(address.port ?? port)" }
        }
        return Answer(
            frame: answered.frame, provenKey: answered.key, roundTrip: roundTrip, address: address ?? "\(host):\(port)")
    }
}

/// A frame, and the key that the gateway proved that sent it.
private typealias ProvenFrame = (frame: Frame, key: Fingerprint?)

private final class QuestionHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let question: Frame
    private let answer: EventLoopPromise<ProvenFrame>
    private var decoder = FrameDecoder(receiver: .agent)
    private var provenKey: Fingerprint?

    init(question: Frame, answer: EventLoopPromise<ProvenFrame>) {
        self.question = question
        self.answer = answer
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard let completed = event as? TLSHandshakeCompleted else {
            return context.fireUserInboundEventTriggered(event)
        }
        provenKey = completed.peer.fingerprint
        var buffer = ByteBuffer()
        do throws(WireError) {
            try question.encode(slot: .connection, into: &buffer)
        } catch {
            answer.fail(error)
        }
        context.writeAndFlush(wrapOutboundOut(buffer), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        decoder.append(unwrapInboundIn(data))
        do throws(WireError) {
            guard case .frame(_, let frame) = try decoder.next() else { return }
            answer.succeed((frame, provenKey))
        } catch {
            answer.fail(UploadFailure(.protocolViolation))
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        answer.fail(UploadFailure(.unreachable, "the connection to the gateway was cut"))
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // TLS closes by itself, once the gateway has been told why.
        guard error is TLSError else { return context.close(promise: nil) }
        answer.fail(error)
    }
}
