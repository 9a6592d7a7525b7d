package import NIOCore

/// TLS 1.3 on a channel: the first handler of its pipeline, plain text on one side and cipher text on the other.
///
/// - **Reading** follows demand. Cipher text is decrypted only when the handlers behind have asked to read. Without
///   demand nothing is read from the socket, but during the handshake, and while the end of a closing connection is
///   awaited. What waits for demand is at most what two readings of the socket brought.
///   Turning `autoRead` on is no demand, since the channel hears it alone: whoever does so calls `read()`, too.
/// - **Writing** follows writability. Flushed plain text is encrypted while the channel is writable, in slices of
///   `sliceRecordCount` records, so that what is encrypted and not sent is bounded by a slice and the channel's own
///   mark, however much is written at once.
/// - **Closing** says goodbye (`close_notify`) behind everything that was flushed, and waits for the peer's goodbye.
///   An end without one is an error, `TLSError.Code.truncated`. `close(mode: .output)` ends one direction only.
///   A peer's goodbye closes the channel, or fires `ChannelEvent.inputClosed` where remote half-closure is allowed.
/// - **Failing** fires one `TLSError`, tells the peer by an alert, and closes.
///
/// ```
/// idle ──active──▶ handshaking ──complete──▶ open ──close──▶ closing ──goodbyes said, or time over──▶ closed
///                       └─────────failure──────┴──▶ failed ──peer gone, or time over──▶ closed
/// ```
package final class TLSHandler: ChannelDuplexHandler {
    package typealias InboundIn = ByteBuffer
    package typealias InboundOut = ByteBuffer
    package typealias OutboundIn = ByteBuffer
    package typealias OutboundOut = ByteBuffer

    /// See the diagram above.
    enum Phase {
        case idle
        case handshaking
        case open
        /// Goodbye is to be said or has been, and what still comes in is dropped.
        case closing
        /// The alert is on its way, and the peer shall have time to read it.
        case failed
        case closed
    }

    /// Frees itself with the handler.
    let connection: SSLConnection
    let limits: TLSLimits

    /// OpenSSL uses it for as long as the connection lives.
    private let tlsContext: TLSContext

    var phase = Phase.idle

    // MARK: Reading; see `TLSHandler+Reading.swift`.

    /// The handlers behind have asked to read, and nothing has been fired since.
    var isReadWanted = false

    /// Something has been fired, and `channelReadComplete` has not.
    var isInBurst = false

    /// The peer has said goodbye.
    var isInputClosed = false

    /// The channel delivers nothing any more, and there is nothing left to close.
    var isInactive = false

    // MARK: Writing; see `TLSHandler+Writing.swift`.

    /// Written and not encrypted yet.
    var queue = PlaintextQueue()

    /// The record that is gathered from several writes. Empty between calls, except where OpenSSL has deferred it.
    var gathered = ByteBuffer()

    /// A loop further up the stack encrypts already.
    var isEncrypting = false

    /// Of messages of TLS's own that have been written and not sent.
    var answerByteCount = 0

    // MARK: Closing; see `TLSHandler+Closing.swift`.

    /// `close(mode: .output)` has been called.
    var isOutputClosing = false

    /// Our goodbye is on its way, and nothing can be encrypted any more.
    var isCloseNotifySent = false

    /// The system has taken our goodbye.
    var isCloseNotifyWritten = false

    /// Of `close(mode: .output)`, until it has been handed on.
    var outputPromise: EventLoopPromise<Void>?

    /// Of `close()`, until it has been handed on.
    var closePromise: EventLoopPromise<Void>?
    private var timer: Scheduled<Void>?

    init(connection: consuming SSLConnection, context: TLSContext, limits: TLSLimits) {
        self.connection = connection
        self.tlsContext = context
        self.limits = limits
    }

    // MARK: - Beginning

    package func handlerAdded(context: ChannelHandlerContext) {
        if context.channel.isActive { begin(context) }
    }

    package func channelActive(context: ChannelHandlerContext) {
        begin(context)
        context.fireChannelActive()
    }

    private func begin(_ context: ChannelHandlerContext) {
        guard phase == .idle else { return }
        phase = .handshaking
        startTimer(limits.handshake, context) { $0.fail($1, TLSError(.handshakeTimedOut)) }
        // OpenSSL makes itself comfortable for a handshake. On the gateway it does so only for those who say something.
        if connection.speaksFirst { continueHandshake(context) }
        context.read()
    }

    /// Goes on as far as the bytes reach that are there.
    func continueHandshake(_ context: ChannelHandlerContext) {
        switch connection.shakeHands() {
        case .wantsMore:
            sendOutbound(context)
        case .failed(let error):
            fail(context, error)
        case .complete:
            guard let peer = connection.peer else { return fail(context, TLSError(.noCertificate)) }
            phase = .open
            stopTimer()
            sendOutbound(context)
            context.fireUserInboundEventTriggered(TLSHandshakeCompleted(peer: peer))
            encrypt(context)
        }
    }

    /// What the peer showed in the handshake, DER: the certificate of the key that it proved, then those behind it.
    /// Empty before the handshake is complete, and where there are more of them than anybody should have to keep. On an
    /// agent only: a gateway's own library leaves out the first.
    package var peerCertificates: [[UInt8]] { phase == .open ? connection.peerCertificates : [] }

    // MARK: - Ending

    package func channelInactive(context: ChannelHandlerContext) {
        isInactive = true
        let wasHandshaking = phase == .handshaking
        // Whatever came before the end is for the handlers behind, whether or not they have asked.
        if phase == .open { deliver(context, isForced: true) }
        if wasHandshaking || phase == .open && !isInputClosed {
            context.fireErrorCaught(TLSError(wasHandshaking ? .handshakeInterrupted : .truncated))
        }
        end(ChannelError.ioOnClosedChannel)
        closePromise?.succeed()
        closePromise = nil
        completeBurst(context)
        context.fireChannelInactive()
    }

    package func handlerRemoved(context: ChannelHandlerContext) {
        end(ChannelError.ioOnClosedChannel)
    }

    /// Nothing is read or written after this. Does nothing when called again.
    /// - Parameter error: for those whose writes have not been sent.
    func end(_ error: any Error) {
        phase = .closed
        stopTimer()
        for promise in queue.removeAll(keepingFlushed: false) { promise.fail(error) }
        outputPromise?.fail(error)
        outputPromise = nil
    }

    // MARK: - Time

    /// There is one timer, for the phase that the connection is in.
    func startTimer(
        _ delay: TimeAmount, _ context: ChannelHandlerContext,
        _ body: @escaping (TLSHandler, ChannelHandlerContext) -> Void
    ) {
        timer?.cancel()
        timer = context.eventLoop.assumeIsolated().scheduleTask(in: delay) { body(self, context) }
    }

    func stopTimer() {
        timer?.cancel()
        timer = nil
    }
}
