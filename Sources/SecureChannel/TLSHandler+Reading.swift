package import NIOCore

extension TLSHandler {
    package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch state.phase {
        case .idle, .handshaking, .open, .closing, .draining: break
        case .failed, .drained, .closed: return
        }
        connection.stream.append(unwrapInboundIn(data))
        if case .handshaking = state.phase { continueHandshake(context) }
        deliver(context, isForced: false)
        // OpenSSL postpones a write while it holds only a part of one of the peer's messages. The rest may have arrived
        // now.
        if records.hasFlushed { encrypt(context) }
    }

    package func channelReadComplete(context: ChannelHandlerContext) {
        let wasInBurst = demand.isInBurst
        completeBurst(context)
        switch state.phase {
        case .handshaking, .closing, .failed: context.read()
        // The peer's bytes held nothing for the handlers behind, so their demand is not answered yet.
        case .open where !wasInBurst && demand.isWanted: context.read()
        case .idle, .open, .draining, .drained, .closed: break
        }
    }

    package func read(context: ChannelHandlerContext) {
        demand.requested()
        if case .open = state.phase, !demand.isInBurst, connection.hasUnread {
            deliver(context, isForced: false)
            completeBurst(context)
        }
        // Read from the channel even if the demand has been answered by now: with `autoRead`, the channel repeats its
        // own demand only after a read. The bytes of this read wait for the next demand.
        context.read()
    }

    package func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case .inputClosed? = event as? ChannelEvent else {
            return context.fireUserInboundEventTriggered(event)
        }
        switch state.phase {
        case .idle, .handshaking:
            fail(context, TLSError(.handshakeInterrupted))
        case .open:
            deliver(context, isForced: true)
            completeBurst(context)
            // If the peer has said goodbye, which was reported at that time, the end of the channel is no error.
            if case .open(.open, _) = state.phase { fail(context, TLSError(.truncated)) }
        case .closing, .failed:
            closeNow(context)
        case .draining, .drained, .closed:
            break
        }
    }

    /// Decrypts the bytes that have arrived, and fires them if there is demand. While the connection is closing, drops
    /// them.
    /// - Parameter isForced: whether bytes are fired even without demand, because the connection ends.
    func deliver(_ context: ChannelHandlerContext, isForced: Bool) {
        while connection.hasUnread {
            switch state.reading {
            case .delivered: guard isForced || demand != .none else { return }
            case .dropped: break
            case .stopped: return
            }
            var plain = context.channel.allocator.buffer(capacity: connection.plainBytesEstimate)
            let outcome = connection.read(into: &plain)
            sendOutbound(context)
            if state.reading == .delivered, plain.readableBytes > 0 {
                demand.delivered()
                context.fireChannelRead(wrapInboundOut(plain))
            }
            switch outcome {
            case .bufferIsFull: break
            case .wantsMore: return
            case .closed: receivedCloseNotify(context)
            case .failed(let error): fail(context, error)
            }
        }
    }

    /// Fires `channelReadComplete` if bytes have been fired since the last time.
    func completeBurst(_ context: ChannelHandlerContext) {
        if demand.completeBurst() { context.fireChannelReadComplete() }
    }
}
