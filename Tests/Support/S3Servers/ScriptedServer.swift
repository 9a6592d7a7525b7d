package import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// A request as a scripted server received it.
package struct ScriptedRequest: Sendable {
    package let method: String
    /// Path and query as they stood on the wire.
    package let target: String
    /// Names in lower case.
    package let headers: [String: String]
    /// Empty where the answer was given before the body came.
    package let body: [UInt8]

    /// The same request with another body.
    package func with(body: [UInt8]) -> ScriptedRequest {
        ScriptedRequest(method: method, target: target, headers: headers, body: body)
    }
}

/// What a scripted server does with a request.
package indirect enum ScriptedAnswer: Sendable {
    /// A whole answer.
    case answer(status: Int, headers: [(name: String, value: String)] = [], body: String = "")
    /// The same with a body that is no text.
    case data(status: Int, headers: [(name: String, value: String)] = [], body: ByteBuffer)
    /// Bytes as they are, and then the end of the connection: for answers that break off.
    case bytes(String)
    /// The head of a good answer and a space every now and then, as a store does that has much to do, and then a body.
    case afterSpaces(count: Int, every: Duration, body: String)
    /// The end of the connection and nothing else.
    case hangUp
    /// The same without a farewell: the client's system says that the connection was reset.
    case reset
    /// Another one when somebody has decided on it: the closure is given what to call, once.
    case deferred(@Sendable (@escaping @Sendable (ScriptedAnswer) -> Void) -> Void)
    /// As an early answer: another one as soon as so many bytes of the body have come.
    case afterBodyBytes(Int, ScriptedAnswer)
    /// Another one after a while.
    case delayed(Duration, ScriptedAnswer)
    /// Nothing, until the client gives up.
    case silence
    /// The same, and nothing more is read of the connection, so that what is sent stays with the client.
    case stopReading
}

/// An HTTP server that answers what a test tells it to, for answers that no real server gives when it is asked.
package final class ScriptedServer: Sendable {
    /// Answers a whole request.
    package typealias Script = @Sendable (ScriptedRequest) -> ScriptedAnswer
    /// Answers a request without waiting for its body, or does not.
    package typealias EarlyScript = @Sendable (ScriptedRequest) -> ScriptedAnswer?

    /// `http://127.0.0.1:<port>`
    package let endpoint: String
    private let log: Mutex<[ScriptedRequest]>
    private let keepsLog: Bool

    /// All that have been answered, in that order. Empty where the server keeps none.
    package var requests: [ScriptedRequest] { log.withLock { $0 } }

    private init(port: Int, keepsLog: Bool) {
        self.endpoint = "http://127.0.0.1:\(port)"
        self.log = Mutex([])
        self.keepsLog = keepsLog
    }

    fileprivate func record(_ request: ScriptedRequest) {
        if keepsLog { log.withLock { $0.append(request) } }
    }

    /// Runs a server.
    ///
    /// - Parameters:
    ///   - keepsLog: `requests` is kept, with all bodies.
    ///   - early: asked as soon as a request's headers have come; `nil` waits for the body.
    ///   - script: asked otherwise, when the whole request has come.
    package static func withServer<Success>(
        keepsLog: Bool = true, early: @escaping EarlyScript = { _ in nil }, _ script: @escaping Script,
        _ body: (ScriptedServer) async throws -> Success
    ) async throws -> Success {
        let holder = ServerHolder()
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.backlog, value: 256)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let decoder = ByteToMessageHandler(HTTPRequestDecoder(leftOverBytesStrategy: .dropBytes))
                    let handler = ScriptHandler(holder: holder, early: early, script: script)
                    try channel.pipeline.syncOperations.addHandlers(decoder, handler)
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let server = ScriptedServer(port: channel.localAddress?.port ?? 0, keepsLog: keepsLog)
        holder.server.withLock { $0 = server }
        let result: Result<Success, any Error>
        do {
            result = .success(try await body(server))
        } catch {
            result = .failure(error)
        }
        try await channel.close()
        return try result.get()
    }
}

/// Connections are made before there is a server to tell of.
private final class ServerHolder: Sendable {
    let server = Mutex<ScriptedServer?>(nil)
}

private final class ScriptHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = ByteBuffer

    private let holder: ServerHolder
    private let early: ScriptedServer.EarlyScript
    private let script: ScriptedServer.Script
    private var head: HTTPRequestHead?
    private var body: [UInt8] = []
    /// What is answered once the body has so many bytes.
    private var waiting: (bytes: Int, answer: ScriptedAnswer)?

    init(
        holder: ServerHolder, early: @escaping ScriptedServer.EarlyScript, script: @escaping ScriptedServer.Script
    ) {
        self.holder = holder
        self.early = early
        self.script = script
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            self.head = head
            body = []
            let request = request(head)
            waiting = nil
            switch early(request) {
            case .afterBodyBytes(let bytes, let answer):
                waiting = (bytes, answer)
            case let answer?:
                self.head = nil
                respond(to: request, with: answer, context: context)
            case nil: break
            }
        case .body(let buffer):
            body.append(contentsOf: buffer.readableBytesView)
            guard let waiting, body.count >= waiting.bytes, let head else { return }
            self.head = nil
            respond(to: request(head), with: waiting.answer, context: context)
        case .end:
            guard let head else { return }
            let request = request(head)
            respond(to: request, with: script(request), context: context)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    private func request(_ head: HTTPRequestHead) -> ScriptedRequest {
        let headers = Dictionary(
            head.headers.map { ($0.name.lowercased(), $0.value) }, uniquingKeysWith: { "\($0),\($1)" })
        return ScriptedRequest(method: head.method.rawValue, target: head.uri, headers: headers, body: body)
    }

    private func respond(
        to request: ScriptedRequest, with answer: ScriptedAnswer, context: ChannelHandlerContext
    ) {
        holder.server.withLock { $0 }?.record(request)
        send(answer, to: request, context: context)
    }

    private func send(_ answer: ScriptedAnswer, to request: ScriptedRequest, context: ChannelHandlerContext) {
        switch answer {
        case .delayed(let delay, let answer):
            context.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(delay)) {
                self.send(answer, to: request, context: context)
            }
        case .deferred(let decide):
            let end = NIOLoopBound((self, context), eventLoop: context.eventLoop)
            let loop = context.eventLoop
            decide { answer in
                loop.execute {
                    let (handler, context) = end.value
                    handler.send(answer, to: request, context: context)
                }
            }
        case .afterBodyBytes(_, let answer):
            send(answer, to: request, context: context)
        case .answer(let status, let headers, let body):
            write(status, headers, ByteBuffer(string: body), to: request, context)
        case .data(let status, let headers, let body):
            write(status, headers, body, to: request, context)
        case .bytes(let text):
            let end = context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: text)))
            end.assumeIsolated().whenComplete { _ in context.close(promise: nil) }
        case .afterSpaces(let count, let pause, let body):
            let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: head)), promise: nil)
            sendSpaces(count, every: pause, before: body, context)
        case .hangUp:
            context.close(promise: nil)
        case .reset:
            guard let socket = context.channel as? any SocketOptionProvider else { return context.close(promise: nil) }
            let set = socket.setSoLinger(linger(l_onoff: 1, l_linger: 0))
            set.assumeIsolated().whenComplete { _ in context.close(promise: nil) }
        case .silence:
            break
        case .stopReading:
            context.channel.setOption(.autoRead, value: false).assumeIsolated().whenFailure { _ in
                context.close(promise: nil)
            }
        }
    }

    private func write(
        _ status: Int, _ headers: [(name: String, value: String)], _ body: ByteBuffer, to request: ScriptedRequest,
        _ context: ChannelHandlerContext
    ) {
        var text = "HTTP/1.1 \(status) Scripted\r\n"
        for header in headers { text += "\(header.name): \(header.value)\r\n" }
        if !headers.contains(where: { $0.name.lowercased() == "content-length" }) {
            text += "Content-Length: \(body.readableBytes)\r\n"
        }
        var answer = ByteBuffer(string: text + "\r\n")
        if request.method != "HEAD" { answer.writeImmutableBuffer(body) }
        context.writeAndFlush(wrapOutboundOut(answer), promise: nil)
    }

    private func sendSpaces(_ count: Int, every pause: Duration, before body: String, _ context: ChannelHandlerContext)
    {
        guard count > 0 else {
            let rest = "\(String(body.utf8.count, radix: 16))\r\n\(body)\r\n0\r\n\r\n"
            return context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: rest)), promise: nil)
        }
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: "1\r\n \r\n")), promise: nil)
        context.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(pause)) {
            self.sendSpaces(count - 1, every: pause, before: body, context)
        }
    }
}
