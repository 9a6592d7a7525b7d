package import NIOCore

extension TLSHandler {
    /// Maximum number of bytes of TLS's own messages that may wait to be sent. A handshake needs only a few kilobytes.
    private static let answerBytesMax = 64 * 1024

    package func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch state.writing {
        case .waits:
            records.append(unwrapOutboundIn(data), promise: promise)
            if records.queuedByteCount > limits.pendingBytesMax { fail(context, TLSError(.tooMuchPending)) }
        case .encrypted:
            records.append(unwrapOutboundIn(data), promise: promise)
            // Encrypt before the flush: while plain text waits here, the channel reports that it is writable.
            if records.queuedByteCount >= OutboundRecords.sliceBytesMax {
                records.flush()
                encrypt(context, isFlushing: false)
            }
        case .outputClosed:
            promise?.fail(ChannelError.outputClosed)
        case .closed:
            promise?.fail(ChannelError.ioOnClosedChannel)
        }
    }

    package func flush(context: ChannelHandlerContext) {
        records.flush()
        encrypt(context)
        context.flush()
    }

    package func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { encrypt(context) }
        context.fireChannelWritabilityChanged()
    }

    /// Encrypts and sends flushed plain text while the channel is writable, and then sends `close_notify` if it is due.
    func encrypt(_ context: ChannelHandlerContext, isFlushing: Bool = true) {
        // Sending may change the channel's writability, which calls this function again while it is running.
        guard !isEncrypting else { return }
        isEncrypting = true
        var outcome = SSLConnection.OnWrite.written
        while case .written = outcome, state.maySend, records.hasFlushed, context.channel.isWritable {
            outcome = records.encryptSlice(with: connection, context.channel.allocator)
            let promise = EventLoopPromise.joining(records.takeFinishedPromises())
            guard let bytes = connection.stream.takeOutbound() ?? promise.map({ _ in ByteBuffer() }) else { continue }
            context.write(wrapOutboundOut(bytes), promise: promise)
            if isFlushing { context.flush() }
        }
        isEncrypting = false
        if case .failed(let error) = outcome { fail(context, error) }
        sendCloseNotifyIfDue(context)
    }

    /// Sends what OpenSSL has written of its own accord, such as messages of the handshake and answers to key updates.
    func sendOutbound(_ context: ChannelHandlerContext) {
        switch state.phase {
        case .idle, .handshaking, .open, .closing, .failed: break
        case .draining, .drained, .closed: return
        }
        guard let bytes = connection.stream.takeOutbound() else { return }
        guard case .open = state.phase else {
            context.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
            return
        }
        // Bound the answers that wait. Otherwise a peer that keeps requesting answers and never reads them could use up
        // the memory.
        let byteCount = bytes.readableBytes
        answerByteCount += byteCount
        guard answerByteCount <= Self.answerBytesMax else {
            return fail(context, TLSError(.malformed, reason: "too many key updates"))
        }
        let promise = context.eventLoop.makePromise(of: Void.self)
        promise.futureResult.assumeIsolated().whenComplete { _ in self.answerByteCount -= byteCount }
        context.writeAndFlush(wrapOutboundOut(bytes), promise: promise)
    }
}
