package import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// A request as a scripted server received it.
package struct ScriptedRequest: Sendable {
    package let method: String
    /// Path and query as received.
    package let target: String
    /// The header fields; names are in lower case.
    package let headers: [String: String]
    /// The body; empty if the server answered before the body arrived.
    package let body: [UInt8]

    /// The same request with another body.
    package func with(body: [UInt8]) -> ScriptedRequest {
        ScriptedRequest(method: method, target: target, headers: headers, body: body)
    }
}

/// How a scripted server reacts to a request.
package indirect enum ScriptedAnswer: Sendable {
    /// The server sends a complete answer.
    case answer(status: Int, headers: [(name: String, value: String)] = [], body: String = "")
    /// The server sends a complete answer with a binary body.
    case data(status: Int, headers: [(name: String, value: String)] = [], body: ByteBuffer)
    /// The server sends these bytes and ends the connection. For incomplete answers.
    case bytes(String)
    /// The server sends the head of a successful answer, then spaces at intervals, as a busy store does, and then a
    /// body.
    case afterSpaces(count: Int, every: Duration, body: String)
    /// The server ends the connection without an answer.
    case hangUp
    /// Like `hangUp`, but the server ends the connection with a TCP reset.
    case reset
    /// The server sends an answer that the test chooses later. The closure receives a function, which the test must
    /// call once with the answer.
    case deferred(@Sendable (@escaping @Sendable (ScriptedAnswer) -> Void) -> Void)
    /// The server sends this answer as soon as this number of bytes of the body has arrived. Only for early answers.
    case afterBodyBytes(Int, ScriptedAnswer)
    /// The server gives this answer after a delay.
    case delayed(Duration, ScriptedAnswer)
    /// The server does not answer, and waits until the client gives up.
    case silence
    /// Like `silence`, but the server also stops reading, so that the client cannot send the rest of its bytes.
    case stopReading
}

/// An HTTP server whose answers the test chooses, including answers that no real server gives on request.
package final class ScriptedServer: Sendable {
    /// Answers a complete request.
    package typealias Script = @Sendable (ScriptedRequest) -> ScriptedAnswer
    /// Answers a request before its body; `nil` waits for the body.
    package typealias EarlyScript = @Sendable (ScriptedRequest) -> ScriptedAnswer?

    /// The address `http://127.0.0.1:<port>`.
    package let endpoint: String
    private let log: Mutex<[ScriptedRequest]>
    private let keepsLog: Bool

    /// All requests that were answered, in the order of the answers. Empty if the server keeps no log.
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
    /// - keepsLog: whether `requests` keeps the requests with all bodies.
    /// - early: called after a request's headers; `nil` waits for the body.
    /// - script: called with the complete request if `early` returned `nil`.
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

/// Gives the connections their server. The port opens before the `ScriptedServer` exists, so connections get this
/// holder, which receives the server later.
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
