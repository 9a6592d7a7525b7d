package import Cryptography
import NIOCore
import NIOPosix
import SecureChannel
import SystemSupport
import TransferCommon
import TransferCore
package import WireProtocol

/// Sends one frame to a gateway on a separate connection and returns the answer.
package struct GatewayQuestion {
    /// The answering frame, with properties of the connection on which it arrived.
    package struct Answer: Sendable {
        package var frame: Frame
        /// The gateway's key, proved in the TLS handshake.
        package var provenKey: Fingerprint?
        /// Round trip that the kernel measured while it connected; `nil` if the kernel does not report it.
        package var roundTrip: Duration?
        /// Address and port of the gateway, as `ADDRESS:PORT`.
        package var address: String
    }

    /// Time limit for the connection attempt, and again for the answer.
    private static let answerLimit = TimeAmount.seconds(30)

    let host: String
    let port: Int
    let tls: TLSContext
    /// Interface that the connection uses; `nil` to follow the system's routes.
    var interface: String?

    /// Sends HELLO and returns the answer.
    ///
    /// - Throws: `UploadFailure` if no gateway that this home trusts answers.
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

    /// Connects, sends one frame and returns the answer.
    ///
    /// - Parameter frame: a frame that may be the first of a connection.
    /// - Throws: `TLSError` unchanged, `UploadFailure` for all other failures. An ERROR frame counts as an answer and
    ///   is returned.
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
        let roundTrip = try? await CongestionControl.roundTrip(of: channel)  // Optional: not all kernels report it.
        let answered = try await answer.futureResult.get()
        let address = channel.remoteAddress.flatMap { address in
            address.ipAddress.map { "\($0):\(address.port ?? port)" }
        }
        return Answer(
            frame: answered.frame, provenKey: answered.key, roundTrip: roundTrip, address: address ?? "\(host):\(port)")
    }
}

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
        // Leave the channel open after a TLS error: the TLS handler first sends the gateway an alert with the reason,
        // and then closes the channel.
        guard error is TLSError else { return context.close(promise: nil) }
        answer.fail(error)
    }
}
