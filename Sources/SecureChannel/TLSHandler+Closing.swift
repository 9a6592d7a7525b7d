package import NIOCore

extension TLSHandler {
    package func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        switch (mode, phase) {
        case (.input, _), (.all, .closed), (.output, .closed):
            context.close(mode: mode, promise: promise)
        case (.output, .closing), (.output, .failed):
            promise?.fail(ChannelError.outputClosed)
        case (.output, _):
            guard !isOutputClosing else {
                promise?.fail(ChannelError.outputClosed)
                return
            }
            isOutputClosing = true
            outputPromise = promise
            for promise in queue.removeAll(keepingFlushed: true) { promise.fail(ChannelError.outputClosed) }
            encrypt(context)
        case (.all, .idle), (.all, .handshaking):
            addClosePromise(promise)
            closeNow(context)
        case (.all, .open):
            beginClosing(context, promise: promise)
        case (.all, .closing), (.all, .failed):
            addClosePromise(promise)
        }
    }

    /// The connection is of no use any more: tells the handlers behind why, and the peer if OpenSSL has an alert for
    /// it. A connection that was about to end anyway just does.
    func fail(_ context: ChannelHandlerContext, _ error: TLSError) {
        switch phase {
        case .failed, .closed: return
        case .closing: return closeNow(context)
        case .idle, .handshaking, .open: break
        }
        end(error)
        phase = .failed
        let alert = isInactive ? nil : connection.stream.takeOutbound()
        if let alert { context.writeAndFlush(wrapOutboundOut(alert), promise: nil) }
        context.fireErrorCaught(error)
        guard phase == .failed else { return }
        guard alert != nil, context.channel.isActive else { return closeNow(context) }
        // A connection that is closed while the peer's bytes are unread is reset, and then the peer may never see the
        // alert. So only our direction ends, and the peer's is read until it ends too.
        startTimer(limits.lingering, context) { $0.closeNow($1) }
        context.close(mode: .output, promise: nil)
        if phase == .failed { context.read() }
    }

    /// The peer will send no more.
    func receivedCloseNotify(_ context: ChannelHandlerContext) {
        isInputClosed = true
        guard !isInactive else { return }
        switch phase {
        case .closing:
            closeIfDone(context)
        case .open where allowsHalfClosure(context):
            completeBurst(context)
            context.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
            if phase == .open, isCloseNotifySent { beginClosing(context, promise: nil) }
        case .open:
            completeBurst(context)
            beginClosing(context, promise: nil)
        case .idle, .handshaking, .failed, .closed:
            break
        }
    }

    private func allowsHalfClosure(_ context: ChannelHandlerContext) -> Bool {
        // A channel that does not know the option does not do it.
        (try? context.channel.syncOptions?.getOption(.allowRemoteHalfClosure)) ?? false
    }

    private func beginClosing(_ context: ChannelHandlerContext, promise: EventLoopPromise<Void>?) {
        guard phase == .open else { return addClosePromise(promise) }
        phase = .closing
        addClosePromise(promise)
        for promise in queue.removeAll(keepingFlushed: true) { promise.fail(ChannelError.ioOnClosedChannel) }
        startTimer(limits.closing, context) { $0.closeNow($1) }
        encrypt(context)
        deliver(context, isForced: true)
        closeIfDone(context)
        if phase == .closing { context.read() }
    }

    /// Says goodbye once all that was flushed before is on its way.
    func sendCloseNotifyIfDue(_ context: ChannelHandlerContext) {
        let isDue = phase == .closing || phase == .open && isOutputClosing
        guard isDue, !isCloseNotifySent, !queue.hasFlushed, gathered.readableBytes == 0 else { return }
        isCloseNotifySent = true
        connection.sendCloseNotify()
        let promise = context.eventLoop.makePromise(of: Void.self)
        promise.futureResult.assumeIsolated().whenComplete { _ in
            self.isCloseNotifyWritten = true
            self.closeIfDone(context)
        }
        context.writeAndFlush(wrapOutboundOut(connection.stream.takeOutbound() ?? ByteBuffer()), promise: promise)
        guard phase == .open else { return }
        let outputPromise = outputPromise
        self.outputPromise = nil
        context.close(mode: .output, promise: outputPromise)
        if isInputClosed { beginClosing(context, promise: nil) }
    }

    private func closeIfDone(_ context: ChannelHandlerContext) {
        if phase == .closing, isCloseNotifyWritten, isInputClosed { closeNow(context) }
    }

    /// Closes the channel whatever state it is in.
    func closeNow(_ context: ChannelHandlerContext) {
        end(ChannelError.ioOnClosedChannel)
        let promise = closePromise
        closePromise = nil
        if isInactive {
            promise?.succeed()
        } else {
            context.close(mode: .all, promise: promise)
        }
    }

    private func addClosePromise(_ promise: EventLoopPromise<Void>?) {
        if let closePromise, let promise {
            closePromise.futureResult.cascade(to: promise)
        } else {
            closePromise = closePromise ?? promise
        }
    }
}
