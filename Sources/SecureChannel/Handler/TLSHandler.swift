package import NIOCore

/// The channel handler for TLS 1.3. It is the first handler of its pipeline, so that the socket side sees cipher text
/// and the next handlers see plain text.
///
/// - **Reading** follows demand. The handler decrypts only when the next handlers have asked to read. Without such
///   demand it reads nothing from the socket, except during the handshake and while a closing connection waits for the
///   peer's `close_notify`. No more than the bytes of two reads of the socket ever wait for demand. A handler that
///   turns `autoRead` on has to call `read()` as well, because the channel does not report the change as demand.
/// - **Writing** follows writability. Flushed plain text is encrypted while the channel is writable, in slices of
///   `OutboundRecords.sliceRecordCount` records. So however much is written at once, the encrypted bytes that are not
///   sent exceed the channel's high-water mark by at most one slice.
/// - **Closing** sends `close_notify` after everything that was flushed, and waits for the peer's `close_notify`. If
///   the connection ends without it, the error is `TLSError.Code.truncated`. `close(mode: .output)` ends one direction
///   only. When the peer's `close_notify` arrives, the handler closes the channel. If the channel allows remote
///   half-closure, the handler fires `ChannelEvent.inputClosed` instead.
/// - **Failing** fires one `TLSError`, sends the peer an alert, and closes the channel.
///
/// `TLSState` decides which phase follows which. This class owns what a state machine without I/O cannot own: OpenSSL's
/// connection, the buffers, the promises and the timer.
package final class TLSHandler: ChannelDuplexHandler {
    package typealias InboundIn = ByteBuffer
    package typealias InboundOut = ByteBuffer
    package typealias OutboundIn = ByteBuffer
    package typealias OutboundOut = ByteBuffer

    let connection: SSLConnection
    let limits: TLSLimits

    /// Stored to keep it alive, because OpenSSL uses the context for as long as the connection exists.
    private let tlsContext: TLSContext

    var state = TLSState()
    var demand = ReadDemand.none
    var records = OutboundRecords()
    let closing = ClosePromises()

    /// The time limit of the connection's present phase. Each phase replaces the limit of the phase before.
    var timer = PhaseTimer()

    /// Whether `encrypt` is running, further up in the call stack. It says nothing about the connection's state.
    var isEncrypting = false

    /// Number of bytes of TLS's own messages that were written to the channel and have not been sent.
    var answerByteCount = 0

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
        guard state.channelBecameActive() else { return }
        timer.start(limits.handshake, context) { self.fail(context, TLSError(.handshakeTimedOut)) }
        // The first call of `continueHandshake` allocates the memory for a handshake. A gateway calls it only after the
        // peer has sent something, so that silent peers cost less.
        if connection.speaksFirst { continueHandshake(context) }
        context.read()
    }

    /// Continues the handshake with the bytes that have arrived.
    func continueHandshake(_ context: ChannelHandlerContext) {
        switch connection.shakeHands() {
        case .wantsMore:
            sendOutbound(context)
        case .failed(let error):
            fail(context, error)
        case .complete:
            guard let peer = connection.peer else { return fail(context, TLSError(.noCertificate)) }
            state.handshakeCompleted()
            timer.stop()
            sendOutbound(context)
            context.fireUserInboundEventTriggered(TLSHandshakeCompleted(peer: peer))
            encrypt(context)
        }
    }

    /// The certificates that the peer presented in the handshake, in DER: first the certificate of the key that it
    /// proved, then the rest of its chain.
    ///
    /// Empty before the handshake is complete, and if there are more than `CertificateAuthority.chainCountMax`. Useful
    /// only on agents: on a gateway OpenSSL leaves out the first certificate.
    package var peerCertificates: [[UInt8]] { state.knowsPeer ? connection.peerCertificates : [] }

    // MARK: - Ending

    package func channelInactive(context: ChannelHandlerContext) {
        switch state.channelBecameInactive() {
        case .deliverRest:
            deliver(context, isForced: true)
            if state.finishDraining() { context.fireErrorCaught(TLSError(.truncated)) }
        case .handshakeInterrupted:
            context.fireErrorCaught(TLSError(.handshakeInterrupted))
        case .nothing:
            break
        }
        end(ChannelError.ioOnClosedChannel)
        closing.takeChannel()?.succeed()
        completeBurst(context)
        context.fireChannelInactive()
    }

    package func handlerRemoved(context: ChannelHandlerContext) {
        end(ChannelError.ioOnClosedChannel)
    }

    /// Ends the connection: nothing is read or written afterwards. Safe to repeat.
    /// - Parameter error: the error that the promises of unsent writes get.
    func end(_ error: any Error) {
        state.end()
        abandonWrites(error)
    }

    /// Fails the promises of all writes that wait to be sent, and stops the timer of the phase that has ended.
    func abandonWrites(_ error: any Error) {
        timer.stop()
        for promise in records.removeAll(keepingFlushed: false) { promise.fail(error) }
        closing.takeOutput()?.fail(error)
    }
}
