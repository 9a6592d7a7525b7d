import NIOCore
import NIOHTTP1
import NIOPosix

/// What the service has answered.
struct ControlReply: Equatable, Sendable {
    var status: HTTPResponseStatus
    var body: [UInt8]
}

/// The client's end of a connection to the control socket: sends one request and collects the answer.
final class ControlExchange: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    /// Why there is no answer.
    enum Problem: Error {
        case closed
        case tooLong
        case tooSlow
    }

    /// A request, and how long its answer may be.
    struct Request: Sendable {
        let method: HTTPMethod
        let target: String
        let body: [UInt8]
        let answerBytesMax: Int

        /// Sends the request over a connected socket, which this function closes.
        ///
        /// - Parameters:
        ///   - loop: an event loop of NIOPosix.
        ///   - patience: how long to wait for the answer; `nil` for no limit.
        func perform(
            on loop: any EventLoop, descriptor: Int32, patience: Duration?
        ) async throws -> ControlReply {
            let reply = loop.makePromise(of: ControlReply.self)
            let channel: any Channel
            do {
                channel = try await ClientBootstrap(group: loop)
                    .channelInitializer { channel in
                        channel.eventLoop.makeCompletedFuture {
                            try channel.pipeline.syncOperations.addHTTPClientHandlers()
                            try channel.pipeline.syncOperations.addHandler(ControlExchange(self, reply))
                        }
                    }
                    .withConnectedSocket(descriptor).get()
            } catch {
                reply.fail(error)
                return try await reply.futureResult.get()
            }
            let timer = patience.map { limit in
                loop.scheduleTask(in: TimeAmount(limit)) { reply.fail(Problem.tooSlow) }
            }
            defer {
                timer?.cancel()
                channel.close(promise: nil)
            }
            return try await withTaskCancellationHandler {
                try await reply.futureResult.get()
            } onCancel: {
                channel.close(promise: nil)
            }
        }
    }

    private let request: Request
    private let reply: EventLoopPromise<ControlReply>
    private var status: HTTPResponseStatus?
    private var body: [UInt8] = []

    private init(_ request: Request, _ reply: EventLoopPromise<ControlReply>) {
        self.request = request
        self.reply = reply
    }

    func channelActive(context: ChannelHandlerContext) {
        let headers = HTTPHeaders([
            ("host", "localhost"), ("content-type", "application/json"), ("content-length", "\(request.body.count)"),
        ])
        let head = HTTPRequestHead(
            version: .http1_1, method: request.method, uri: request.target, headers: headers)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: request.body)))), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        context.fireChannelActive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): status = head.status
        case .body(let bytes):
            guard body.count + bytes.readableBytes <= request.answerBytesMax else {
                reply.fail(Problem.tooLong)
                return context.close(promise: nil)
            }
            body.append(contentsOf: bytes.readableBytesView)
        case .end:
            guard let status else { return }
            reply.succeed(ControlReply(status: status, body: body))
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        // An answer that is complete has been passed on before; a promise keeps its first result.
        reply.fail(Problem.closed)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        reply.fail(error)
        context.close(promise: nil)
    }
}
