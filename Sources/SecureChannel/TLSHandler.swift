package import NIOCore

/// TLS 1.3 on a channel: the first handler of its pipeline, plain text on one side and cipher text on the other.
///
/// - **Reading** follows demand. Cipher text is decrypted only when the handlers behind have asked to read. Without
///   demand nothing is read from the socket, except during the handshake and while a closing connection waits for the
///   peer's goodbye. No more than the bytes of two reads from the socket wait for demand. A handler that turns
///   `autoRead` on has to call `read()` as well, because the channel does not report the change as demand.
/// - **Writing** follows writability. Flushed plain text is encrypted while the channel is writable, in slices of
///   `OutboundRecords.sliceRecordCount` records. So the encrypted bytes that are not sent yet exceed the channel's
///   high-water mark by at most one slice, however much is written at once.
/// - **Closing** sends a goodbye (`close_notify`) after everything that was flushed, and waits for the peer's goodbye.
///   An end without one is an error, `TLSError.Code.truncated`. `close(mode: .output)` ends one direction only.
///   A peer's goodbye closes the channel, or fires `ChannelEvent.inputClosed` where remote half-closure is allowed.
/// - **Failing** fires one `TLSError`, sends the peer an alert, and closes the channel.
///
/// `TLSState` decides which phase follows which. This class owns what a pure machine cannot: OpenSSL's connection,
/// buffers, promises and the timer.
package final class TLSHandler: ChannelDuplexHandler {
    package typealias InboundIn = ByteBuffer
    package typealias InboundOut = ByteBuffer
    package typealias OutboundIn = ByteBuffer
    package typealias OutboundOut = ByteBuffer

    let connection: SSLConnection
    let limits: TLSLimits

    /// OpenSSL uses it for as long as the connection lives.
    private let tlsContext: TLSContext

    var state = TLSState()
    var demand = ReadDemand.none
    var records = OutboundRecords()
    let closing = ClosePromises()

    /// There is one timer, for the phase that the connection is in.
    var timer = PhaseTimer()

    /// Whether `encrypt` is running already, so that a nested call returns at once. It describes a call and not the
    /// connection, so no phase owns it.
    var isEncrypting = false

    /// How many bytes of TLS's own messages were written to the channel and have not been sent.
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
        // The first call allocates the memory that a handshake needs. A gateway therefore waits until the peer has sent
        // something.
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

    /// The certificates that the peer showed in the handshake, DER: that of the key it proved, then those behind it.
    ///
    /// Empty before the handshake is complete, and where there are more than `CertificateAuthority.chainCountMax`. Only
    /// for agents: on a gateway, OpenSSL leaves out the first certificate.
    package var peerCertificates: [[UInt8]] {
        switch state.phase {
        case .open, .draining: connection.peerCertificates
        case .idle, .handshaking, .closing, .failed, .drained, .closed: []
        }
    }

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

    /// Nothing is read or written after this. Safe to repeat.
    /// - Parameter error: the error for writes that have not been sent.
    func end(_ error: any Error) {
        state.end()
        abandonWrites(error)
    }

    /// Fails all writes that wait to be sent, and stops the timer of the phase that has ended.
    func abandonWrites(_ error: any Error) {
        timer.stop()
        for promise in records.removeAll(keepingFlushed: false) { promise.fail(error) }
        closing.takeOutput()?.fail(error)
    }
}
