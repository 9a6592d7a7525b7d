package import NIOCore

extension TLSHandler {
    package func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        switch mode {
        case .input: context.close(mode: .input, promise: promise)
        case .output: closeOutput(context, promise)
        case .all: closeAll(context, promise)
        }
    }

    private func closeOutput(_ context: ChannelHandlerContext, _ promise: EventLoopPromise<Void>?) {
        switch state.closeOutput() {
        case .sayGoodbye:
            outputPromise = promise
            for promise in queue.removeAll(keepingFlushed: true) { promise.fail(ChannelError.outputClosed) }
            encrypt(context)
        case .refuse:
            promise?.fail(ChannelError.outputClosed)
        case .passOn:
            context.close(mode: .output, promise: promise)
        }
    }

    private func closeAll(_ context: ChannelHandlerContext, _ promise: EventLoopPromise<Void>?) {
        switch state.close() {
        case .closeChannel:
            addClosePromise(promise)
            closeNow(context)
        case .sayGoodbye:
            addClosePromise(promise)
            sayGoodbye(context)
        case .wait:
            addClosePromise(promise)
        case .passOn:
            context.close(mode: .all, promise: promise)
        }
    }

    /// Ends a failed connection: reports the error to the handlers behind, and to the peer if OpenSSL has an
    /// alert for it. Where the connection was closing anyway, nothing is reported.
    func fail(_ context: ChannelHandlerContext, _ error: TLSError) {
        switch state.fail() {
        case .nothing:
            return
        case .closeChannel:
            return closeNow(context)
        case .tellHandlers:
            abandonWrites(error)
            context.fireErrorCaught(error)
        case .tellBothSides:
            abandonWrites(error)
            let alert = connection.stream.takeOutbound()
            if let alert { context.writeAndFlush(wrapOutboundOut(alert), promise: nil) }
            context.fireErrorCaught(error)
            guard state.phase == .failed else { return }
            guard alert != nil, context.channel.isActive else { return closeNow(context) }
            // The system resets a connection that is closed while bytes of the peer are unread, and the peer may then
            // never see the alert. So only our direction is closed, and the peer's is read until it ends too.
            startTimer(limits.lingering, context) { $0.closeNow($1) }
            context.close(mode: .output, promise: nil)
            if state.phase == .failed { context.read() }
        }
    }

    /// The peer will send no more.
    func receivedCloseNotify(_ context: ChannelHandlerContext) {
        switch state.receivedGoodbye() {
        case .nothing:
            break
        case .closeChannel:
            closeNow(context)
        case .inputEnded where allowsHalfClosure(context):
            completeBurst(context)
            context.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
            if state.haveBothEnded { beginClosing(context) }
        case .inputEnded:
            completeBurst(context)
            beginClosing(context)
        }
    }

    private func allowsHalfClosure(_ context: ChannelHandlerContext) -> Bool {
        // A channel that does not know the option has no half-closure.
        (try? context.channel.syncOptions?.getOption(.allowRemoteHalfClosure)) ?? false
    }

    private func beginClosing(_ context: ChannelHandlerContext) {
        if state.beginClosing() { sayGoodbye(context) }
    }

    /// Sends what was flushed and the goodbye, and waits for the peer's goodbye.
    private func sayGoodbye(_ context: ChannelHandlerContext) {
        for promise in queue.removeAll(keepingFlushed: true) { promise.fail(ChannelError.ioOnClosedChannel) }
        startTimer(limits.closing, context) { $0.closeNow($1) }
        encrypt(context)
        deliver(context, isForced: true)
        closeIfDone(context)
        if case .closing = state.phase { context.read() }
    }

    /// Sends the goodbye if it is due and all that was flushed before has been encrypted.
    func sendCloseNotifyIfDue(_ context: ChannelHandlerContext) {
        guard state.isGoodbyeDue, !queue.hasFlushed, gathered.readableBytes == 0 else { return }
        state.goodbyeSent()
        connection.sendCloseNotify()
        let promise = context.eventLoop.makePromise(of: Void.self)
        promise.futureResult.assumeIsolated().whenComplete { _ in
            self.state.goodbyeTaken()
            self.closeIfDone(context)
        }
        context.writeAndFlush(wrapOutboundOut(connection.stream.takeOutbound() ?? ByteBuffer()), promise: promise)
        guard case .open = state.phase else { return }
        let outputPromise = outputPromise
        self.outputPromise = nil
        context.close(mode: .output, promise: outputPromise)
        if state.haveBothEnded { beginClosing(context) }
    }

    private func closeIfDone(_ context: ChannelHandlerContext) {
        if state.isDone { closeNow(context) }
    }

    /// Closes the channel in any phase.
    func closeNow(_ context: ChannelHandlerContext) {
        end(ChannelError.ioOnClosedChannel)
        let promise = closePromise
        closePromise = nil
        context.close(mode: .all, promise: promise)
    }

    private func addClosePromise(_ promise: EventLoopPromise<Void>?) {
        if let closePromise, let promise {
            closePromise.futureResult.cascade(to: promise)
        } else {
            closePromise = closePromise ?? promise
        }
    }
}
