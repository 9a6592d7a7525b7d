package import Cryptography
package import FoundationEssentials
import NIOCore
import NIOPosix
import SecureChannel
import SystemSupport
import TransferCommon
import TransferCore
package import WireProtocol

/// Sends one frame to a gateway on a separate connection and returns the answer. After WELCOME it can send another one.
package struct GatewayQuestion {
    /// The answering frame, with properties of the connection on which it arrived.
    package struct Answer: Sendable {
        package var frame: Frame
        /// When the frame arrived, by the device's clock.
        package var receivedAt: Date
        /// The answer to the frame that was sent after WELCOME; `nil` if none was sent, or if no answer came in time.
        package var next: Frame?
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
    /// `nil` to connect over plain TCP, without TLS.
    let tls: TLSContext?
    /// Interface that the connection uses; `nil` to follow the system's routes.
    var interface: String?

    /// Sends HELLO and returns the answer.
    ///
    /// - Parameters:
    ///   - isPlaintext: whether to connect over plain TCP, without TLS.
    ///   - question: a frame that is sent in a slot after WELCOME.
    /// - Throws: `UploadFailure` if no gateway that this home trusts answers.
    package static func greet(
        host: String, port: Int, home: AgentHome, identity: Identity, software: String, interface: String?,
        isPlaintext: Bool = false, thenAsking question: Frame? = nil
    ) async throws -> Answer {
        let trust = isPlaintext ? nil : try home.gatewayTrust(connectedHost: host)
        let tls = try trust.map { try TLSContext.agent(identity: identity, gateway: $0) }
        let pins = isPlaintext ? [] : try home.pins().keys
        var generator = SystemRandomNumberGenerator()
        let hello = Hello(
            versionMin: WireLimits.version, versionMax: WireLimits.version, capabilities: [],
            fingerprint: identity.fingerprint.digest, run: .random(using: &generator),
            pins: pins.map(\.digest), software: software)
        do {
            return try await withEventLoop {
                try await GatewayQuestion(host: host, port: port, tls: tls, interface: interface)
                    .ask(.hello(hello), then: question, on: $0)
            }
        } catch let error as TLSError {
            throw UploadFailure(error) ?? .notReached(host, port, GatewayAbsence.reason(error))
        } catch let failure as UploadFailure {
            throw failure.explained(reasonOfAbsence: nil, isPlaintext: isPlaintext)
        }
    }

    /// Connects, sends one frame and returns the answer.
    ///
    /// - Parameter frame: a frame that may be the first of a connection.
    /// - Throws: `TLSError` unchanged, `UploadFailure` for all other failures. An ERROR frame counts as an answer and
    ///   is returned.
    func ask(_ frame: Frame, then next: Frame? = nil, on eventLoop: any EventLoop) async throws -> Answer {
        let answer = eventLoop.makePromise(of: ProvenFrame.self)
        let bootstrap = ClientBootstrap(group: eventLoop)
            .connectTimeout(Self.answerLimit)
            .channelInitializer { [tls, interface, host] channel in
                let prepared: EventLoopFuture<Void> = channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    if let tls { try pipeline.addHandler(tls.makeHandler()) }
                    try pipeline.addHandler(
                        QuestionHandler(frame, then: next, plaintextHost: tls == nil ? host : nil, answer: answer))
                }
                return prepared.flatMap { NetworkInterfaces.bind(channel, to: interface) }
            }
        let channel: any Channel
        do {
            channel = try await bootstrap.connect(host: host, port: port).get()
        } catch {
            let failure = UploadFailure.notReached(host, port, GatewayAbsence.reason(error))
            answer.fail(failure)
            throw failure
        }
        let timeout = eventLoop.scheduleTask(in: Self.answerLimit) {
            channel.pipeline.fireUserInboundEventTriggered(QuestionTimedOut())
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
            frame: answered.frame, receivedAt: answered.at, next: answered.next, provenKey: answered.key,
            roundTrip: roundTrip, address: address ?? "\(host):\(port)")
    }
}

extension UploadFailure {
    fileprivate static func notReached(_ host: String, _ port: Int, _ reason: String) -> UploadFailure {
        let address = HostAndPort.text(host: host, port: port)
        return UploadFailure(.unreachable, "the gateway at \(address) could not be reached (\(reason))")
    }
}

private typealias ProvenFrame = (frame: Frame, at: Date, next: Frame?, key: Fingerprint?)

/// The time for the answer is over.
private struct QuestionTimedOut: Sendable {}

private final class QuestionHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let question: Frame
    /// The frame that is sent in a slot after WELCOME.
    private let next: Frame?
    /// Host of the gateway, for a message, if the connection is without TLS.
    private let plaintextHost: String?
    private let answer: EventLoopPromise<ProvenFrame>
    private var decoder = FrameDecoder(receiver: .agent)
    private var provenKey: Fingerprint?
    /// WELCOME and the time of its arrival, while the answer to `next` is awaited.
    private var welcome: (frame: Frame, at: Date)?

    init(_ question: Frame, then next: Frame?, plaintextHost: String?, answer: EventLoopPromise<ProvenFrame>) {
        self.question = question
        self.next = next
        self.plaintextHost = plaintextHost
        self.answer = answer
    }

    func channelActive(context: ChannelHandlerContext) {
        if let plaintextHost {
            if let failure = UploadFailure(withoutTLSTo: context.remoteAddress?.ipAddress, host: plaintextHost) {
                end(failure)
            } else {
                send(question, slot: .connection, context)
            }
        }
        context.fireChannelActive()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is QuestionTimedOut { return end(UploadFailure(.unreachable, "the gateway does not answer")) }
        guard let completed = event as? TLSHandshakeCompleted else {
            return context.fireUserInboundEventTriggered(event)
        }
        provenKey = completed.peer.fingerprint
        send(question, slot: .connection, context)
    }

    private func send(_ frame: Frame, slot: Slot, _ context: ChannelHandlerContext) {
        var buffer = ByteBuffer()
        do throws(WireError) {
            try frame.encode(slot: slot, into: &buffer)
        } catch {
            answer.fail(error)
        }
        context.writeAndFlush(wrapOutboundOut(buffer), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        decoder.append(unwrapInboundIn(data))
        do throws(WireError) {
            while let inbound = try decoder.next() {
                if case .frame(let slot, let frame) = inbound { received(frame, slot: slot, context) }
            }
        } catch {
            end(UploadFailure(.protocolViolation))
        }
    }

    private func received(_ frame: Frame, slot: Slot, _ context: ChannelHandlerContext) {
        guard let welcome else {
            guard let next, case .welcome = frame else { return answer.succeed((frame, Date(), nil, provenKey)) }
            self.welcome = (frame, Date())
            return send(next, slot: Slot(1), context)
        }
        // Frames of the connection, such as PING, are no answer, except the one with which the gateway ends it.
        if slot == .connection {
            guard case .error = frame else { return }
        }
        answer.succeed((welcome.frame, welcome.at, frame, provenKey))
    }

    /// Ends the question without a further frame. WELCOME is an answer, also if the gateway does not answer the second
    /// question.
    private func end(_ failure: UploadFailure) {
        if let welcome { answer.succeed((welcome.frame, welcome.at, nil, provenKey)) } else { answer.fail(failure) }
    }

    func channelInactive(context: ChannelHandlerContext) {
        end(UploadFailure(.unreachable, "the connection to the gateway was cut"))
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // Leave the channel open after a TLS error: the TLS handler first sends the gateway an alert with the reason,
        // and then closes the channel.
        guard error is TLSError else { return context.close(promise: nil) }
        answer.fail(error)
    }
}
