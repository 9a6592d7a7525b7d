import NIOCore
import NIOHTTP1

/// One connection of the control socket: reads one request, asks the service, answers, and closes.
///
///     from         event                          to           action
///     reading      the head and parts of the body reading      keep them
///     reading      the body is too long           answering    413
///     reading      the end of the request         answering    asks the service
///     reading      the time for a request is over closed
///     answering    the answer of the service      writing      writes it
///     writing      the client has taken it all    closed
///     writing      the client takes nothing       closed
///     any          the client closes              closed       cancels the question to the service
final class ControlConnection: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private enum State {
        case reading(HTTPRequestHead?, [UInt8], deadline: Scheduled<Void>?)
        case answering(Task<Void, Never>?)
        case writing(deadline: Scheduled<Void>)
        case closed
    }

    private let service: any ServiceControl
    private let limits: ControlLimits
    private var state = State.reading(nil, [], deadline: nil)

    init(_ service: any ServiceControl, _ limits: ControlLimits) {
        self.service = service
        self.limits = limits
    }

    func handlerAdded(context: ChannelHandlerContext) {
        state = .reading(nil, [], deadline: closing(context))
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        // The socket takes one request. What a client sends behind it is not read.
        guard case .reading(let head, var body, let deadline) = state else { return }
        switch unwrapInboundIn(data) {
        case .head(let head): state = .reading(head, body, deadline: deadline)
        case .body(let bytes):
            guard body.count + bytes.readableBytes <= limits.bodyBytesMax else {
                deadline?.cancel()
                state = .answering(nil)
                let words = "the body is longer than \(limits.bodyBytesMax) bytes"
                return write(ControlAnswer(.payloadTooLarge, words), context)
            }
            body.append(contentsOf: bytes.readableBytesView)
            state = .reading(head, body, deadline: deadline)
        case .end:
            deadline?.cancel()
            guard let head else { return }
            do throws(ControlRequest.Refused) {
                ask(try ControlRequest(head.method, head.uri, body: body), context)
            } catch {
                state = .answering(nil)
                write(error.answer, context)
            }
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        end()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    private func end() {
        switch state {
        case .reading(_, _, let deadline): deadline?.cancel()
        // A client that waits for its flush and closes ends the waiting.
        case .answering(let question): question?.cancel()
        case .writing(let deadline): deadline.cancel()
        case .closed: break
        }
        state = .closed
    }

    private func ask(_ request: ControlRequest, _ context: ChannelHandlerContext) {
        let answer = context.eventLoop.makePromise(of: ControlAnswer.self)
        answer.futureResult.assumeIsolated().whenSuccess { self.write($0, context) }
        state = .answering(Task { [service] in answer.succeed(await request.answer(of: service)) })
    }

    private func write(_ answer: ControlAnswer, _ context: ChannelHandlerContext) {
        guard case .answering = state else { return }
        state = .writing(deadline: closing(context))
        var headers = HTTPHeaders([
            ("content-type", "application/json"), ("content-length", "\(answer.body.count)"), ("connection", "close"),
        ])
        if let allowed = answer.allowed { headers.add(name: "allow", value: allowed) }
        let head = HTTPResponseHead(version: .http1_1, status: answer.status, headers: headers)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: answer.body)))), promise: nil)
        let written = context.eventLoop.makePromise(of: Void.self)
        written.futureResult.assumeIsolated().whenComplete { _ in context.close(promise: nil) }
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: written)
    }

    /// Closes the connection if the client takes too long.
    private func closing(_ context: ChannelHandlerContext) -> Scheduled<Void> {
        context.eventLoop.assumeIsolated().scheduleTask(in: limits.patience) { context.close(promise: nil) }
    }
}

/// Closes a connection that sends more than a request may have. It stands before the reader of HTTP, whose limits hold
/// for single requests.
final class ControlIntake: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private var bytesLeft: Int

    init(bytesMax: Int) {
        bytesLeft = bytesMax
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        bytesLeft -= unwrapInboundIn(data).readableBytes
        guard bytesLeft >= 0 else { return context.close(promise: nil) }
        context.fireChannelRead(data)
    }
}
