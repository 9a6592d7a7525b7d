package import NIOCore

extension TLSHandler {
    /// The longest plain text of one record that TLS allows.
    static let recordBytesMax = 16 * 1024

    /// Header, content type and tag; the same for each of the ciphers.
    static let recordOverheadBytes = 22

    /// As many records as fit into half a mebibyte, the size of the buffer that they are encrypted into.
    static let sliceRecordCount = 31

    /// How much of TLS's own messages may wait to be sent; a handshake's last flight is a few kilobytes.
    private static let answerBytesMax = 64 * 1024

    private static let sliceBytesMax = sliceRecordCount * recordBytesMax

    package func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch state.writing {
        case .waits:
            queue.append(unwrapOutboundIn(data), promise: promise)
            if queue.byteCount > limits.pendingBytesMax { fail(context, TLSError(.tooMuchPending)) }
        case .encrypted:
            queue.append(unwrapOutboundIn(data), promise: promise)
            // Bytes count for the channel's writability only once they are encrypted, so do not wait for the flush.
            if queue.byteCount >= Self.sliceBytesMax {
                queue.flush()
                encrypt(context, isFlushing: false)
            }
        case .outputClosed:
            promise?.fail(ChannelError.outputClosed)
        case .closed:
            promise?.fail(ChannelError.ioOnClosedChannel)
        }
    }

    package func flush(context: ChannelHandlerContext) {
        queue.flush()
        encrypt(context)
        context.flush()
    }

    package func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { encrypt(context) }
        context.fireChannelWritabilityChanged()
    }

    /// Encrypts and sends flushed plain text while the channel is writable, and then the goodbye if it is due.
    func encrypt(_ context: ChannelHandlerContext, isFlushing: Bool = true) {
        // Sending changes the channel's writability, and that calls this function again.
        guard !isEncrypting else { return }
        isEncrypting = true
        var outcome = SSLConnection.OnWrite.written
        while case .written = outcome, state.maySend, queue.hasFlushed || gathered.readableBytes > 0,
            context.channel.isWritable
        {
            outcome = encryptSlice(context.channel.allocator)
            let promise = gathered.readableBytes == 0 ? joined(queue.takeFinishedPromises()) : nil
            guard let bytes = connection.stream.takeOutbound() ?? promise.map({ _ in ByteBuffer() }) else { continue }
            context.write(wrapOutboundOut(bytes), promise: promise)
            if isFlushing { context.flush() }
        }
        isEncrypting = false
        if case .failed(let error) = outcome { fail(context, error) }
        sendCloseNotifyIfDue(context)
    }

    /// Sends what OpenSSL wrote by itself: messages of the handshake, answers to key updates.
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
        // The answers of a peer that keeps asking and never reads would use up memory.
        let byteCount = bytes.readableBytes
        answerByteCount += byteCount
        guard answerByteCount <= Self.answerBytesMax else {
            return fail(context, TLSError(.malformed, reason: "too many key updates"))
        }
        let promise = context.eventLoop.makePromise(of: Void.self)
        promise.futureResult.assumeIsolated().whenComplete { _ in self.answerByteCount -= byteCount }
        context.writeAndFlush(wrapOutboundOut(bytes), promise: promise)
    }

    /// Makes full records and a shorter last one, however the plain text was cut into writes. A write that fills records
    /// is encrypted without a copy; only the rest at its beginning and end is copied together with its neighbours.
    private func encryptSlice(_ allocator: ByteBufferAllocator) -> SSLConnection.OnWrite {
        let plainByteCount = min(queue.byteCount + gathered.readableBytes, Self.sliceBytesMax)
        let recordCount = plainByteCount / Self.recordBytesMax + 1
        connection.stream.reserveOutbound(
            byteCount: plainByteCount + recordCount * Self.recordOverheadBytes, allocator: allocator)
        var room = Self.sliceBytesMax - gathered.readableBytes
        while let firstByteCount = queue.firstByteCount, room > 0 || firstByteCount == 0 {
            let outcome: SSLConnection.OnWrite
            let byteCount: Int
            if gathered.readableBytes == 0, firstByteCount >= Self.recordBytesMax {
                let wholeByteCount = min(firstByteCount, room) / Self.recordBytesMax * Self.recordBytesMax
                byteCount = wholeByteCount
                outcome = queue.withFirstBytes(wholeByteCount) { connection.write($0) }
                guard case .written = outcome else { return outcome }
                queue.drop(byteCount)
            } else {
                byteCount = min(firstByteCount, Self.recordBytesMax - gathered.readableBytes, room)
                gather(byteCount, allocator)
                outcome = gathered.readableBytes == Self.recordBytesMax ? encryptGathered() : .written
                guard case .written = outcome else { return outcome }
            }
            room -= byteCount
        }
        return encryptGathered()
    }

    private func gather(_ byteCount: Int, _ allocator: ByteBufferAllocator) {
        if gathered.readableBytes == 0 {
            gathered = allocator.buffer(capacity: min(queue.byteCount, Self.recordBytesMax))
        }
        queue.withFirstBytes(byteCount) { _ = gathered.writeBytes($0) }
        queue.drop(byteCount)
    }

    private func encryptGathered() -> SSLConnection.OnWrite {
        guard gathered.readableBytes > 0 else { return .written }
        let outcome = gathered.withUnsafeReadableBytes { connection.write($0) }
        if case .written = outcome { gathered = ByteBuffer() }
        return outcome
    }

    /// One promise that completes all of them.
    private func joined(_ promises: [EventLoopPromise<Void>]) -> EventLoopPromise<Void>? {
        guard let first = promises.first else { return nil }
        for promise in promises.dropFirst() { first.futureResult.cascade(to: promise) }
        return first
    }
}
