package import NIOCore

extension TLSHandler {
    package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        // What comes after a failure is only waited out.
        guard phase != .failed, phase != .closed else { return }
        connection.stream.append(unwrapInboundIn(data))
        if phase == .handshaking { continueHandshake(context) }
        deliver(context, isForced: false)
        // OpenSSL may have deferred a write until a message of the peer was complete.
        if queue.hasFlushed || gathered.readableBytes > 0 { encrypt(context) }
    }

    package func channelReadComplete(context: ChannelHandlerContext) {
        let wasInBurst = isInBurst
        completeBurst(context)
        switch phase {
        case .handshaking, .closing, .failed: context.read()
        // The demand is still there where the peer's bytes held nothing for the handlers behind.
        case .open where !wasInBurst && isReadWanted: context.read()
        case .idle, .open, .closed: break
        }
    }

    package func read(context: ChannelHandlerContext) {
        isReadWanted = true
        if phase == .open, !isInBurst, connection.hasUnread {
            deliver(context, isForced: false)
            completeBurst(context)
        }
        // Even where the demand has been answered by now: the channel repeats its own demand (`autoRead`) only when it
        // has read, so it may not be left without one. What it brings waits for the next demand.
        context.read()
    }

    package func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case .inputClosed? = event as? ChannelEvent else {
            return context.fireUserInboundEventTriggered(event)
        }
        switch phase {
        case .idle, .handshaking:
            fail(context, TLSError(.handshakeInterrupted))
        case .open:
            deliver(context, isForced: true)
            completeBurst(context)
            // The goodbye, if there was one, was told when it was read.
            if phase == .open, !isInputClosed { fail(context, TLSError(.truncated)) }
        case .closing, .failed:
            closeNow(context)
        case .closed:
            break
        }
    }

    /// Decrypts what is there and fires it, if there is demand for it; drops it, if the connection is closing.
    /// - Parameter isForced: at the end of the connection, when there will be no demand any more.
    func deliver(_ context: ChannelHandlerContext, isForced: Bool) {
        while connection.hasUnread, !isInputClosed {
            guard phase == .closing || phase == .open && (isForced || isReadWanted || isInBurst) else { return }
            var plain = context.channel.allocator.buffer(capacity: connection.plainBytesEstimate)
            let outcome = connection.read(into: &plain)
            sendOutbound(context)
            if phase == .open, plain.readableBytes > 0 {
                isReadWanted = false
                isInBurst = true
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

    /// Tells the handlers behind that this was all for now, if they were given anything.
    func completeBurst(_ context: ChannelHandlerContext) {
        guard isInBurst else { return }
        isInBurst = false
        context.fireChannelReadComplete()
    }
}
