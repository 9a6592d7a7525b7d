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
        // OpenSSL accepts no write while one of the peer's messages is incomplete. The rest of it may have arrived now.
        if records.hasFlushed { encrypt(context) }
    }

    package func channelReadComplete(context: ChannelHandlerContext) {
        let wasInBurst = demand.isInBurst
        completeBurst(context)
        switch state.phase {
        case .handshaking, .closing, .failed: context.read()
        // The bytes were only messages of TLS itself. The next handlers still wait for plain text, so read again.
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
        // Read from the socket even if the handlers have just got bytes and wait for no more: with `autoRead` the
        // channel asks for the next read only after a read has completed. Bytes that arrive now wait in this handler
        // until the next handlers ask for them.
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
            // If the peer has sent `close_notify`, the end of the channel is no error. Otherwise bytes may be missing.
            if case .open(.open, _) = state.phase { fail(context, TLSError(.truncated)) }
        case .closing, .failed:
            closeNow(context)
        case .draining, .drained, .closed:
            break
        }
    }

    /// Decrypts the bytes that have arrived and passes them to the next handler, as long as handlers have asked to
    /// read. While the connection is closing, drops the bytes.
    /// - Parameter isForced: whether to pass the bytes on even if no handler has asked, because the connection ends.
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

    /// Fires `channelReadComplete` if bytes have been passed on since it was fired last.
    func completeBurst(_ context: ChannelHandlerContext) {
        if demand.completeBurst() { context.fireChannelReadComplete() }
    }
}
