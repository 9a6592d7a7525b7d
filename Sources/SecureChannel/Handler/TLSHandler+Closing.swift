package import NIOCore

/// An outbound user event that makes `TLSHandler` close the channel at once, in every phase. The handler sends no
/// `close_notify`, and waits neither for unsent bytes nor for the peer. The caller uses the event for peers that need
/// not receive anything more.
package struct TLSDrop: Sendable {
    package init() {}
}

extension TLSHandler {
    package func triggerUserOutboundEvent(context: ChannelHandlerContext, event: Any, promise: EventLoopPromise<Void>?)
    {
        guard event is TLSDrop else { return context.triggerUserOutboundEvent(event, promise: promise) }
        closeNow(context)
        promise?.succeed()
    }

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
            closing.waitForOutput(promise)
            for promise in records.removeAll(keepingFlushed: true) { promise.fail(ChannelError.outputClosed) }
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
            closing.waitForChannel(promise)
            closeNow(context)
        case .sayGoodbye:
            closing.waitForChannel(promise)
            sayGoodbye(context)
        case .wait:
            closing.waitForChannel(promise)
        case .passOn:
            context.close(mode: .all, promise: promise)
        }
    }

    /// Ends a failed connection. Reports the error to the next handlers, and to the peer if OpenSSL has an alert for
    /// it. If the connection was closing anyway, reports nothing.
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
            // miss the alert. So close only our direction, and read the peer's bytes until its direction ends, too.
            timer.start(limits.lingering, context) { self.closeNow(context) }
            context.close(mode: .output, promise: nil)
            if state.phase == .failed { context.read() }
        }
    }

    /// Handles the peer's `close_notify`, after which the peer sends no more bytes.
    func receivedCloseNotify(_ context: ChannelHandlerContext) {
        switch state.receivedGoodbye() {
        case .nothing:
            break
        case .closeChannel:
            closeNow(context)
        case .inputEnded where context.channel.allowsHalfClosure:
            completeBurst(context)
            context.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
            if state.haveBothEnded { beginClosing(context) }
        case .inputEnded:
            completeBurst(context)
            beginClosing(context)
        }
    }

    private func beginClosing(_ context: ChannelHandlerContext) {
        if state.beginClosing() { sayGoodbye(context) }
    }

    private func sayGoodbye(_ context: ChannelHandlerContext) {
        for promise in records.removeAll(keepingFlushed: true) { promise.fail(ChannelError.ioOnClosedChannel) }
        ClosingPatience(unsentByteCount: records.unsentByteCount(in: context.channel), limits).watch(self, context)
        encrypt(context)
        deliver(context, isForced: true)
        closeIfDone(context)
        if case .closing = state.phase { context.read() }
    }

    /// Sends our `close_notify` if it is due. It has to wait until all flushed plain text has been encrypted.
    func sendCloseNotifyIfDue(_ context: ChannelHandlerContext) {
        guard state.isGoodbyeDue, !records.hasFlushed else { return }
        state.goodbyeSent()
        connection.sendCloseNotify()
        let promise = context.eventLoop.makePromise(of: Void.self)
        promise.futureResult.assumeIsolated().whenComplete { _ in
            self.state.goodbyeTaken()
            self.closeIfDone(context)
        }
        context.writeAndFlush(wrapOutboundOut(connection.stream.takeOutbound() ?? ByteBuffer()), promise: promise)
        guard case .open = state.phase else { return }
        context.close(mode: .output, promise: closing.takeOutput())
        if state.haveBothEnded { beginClosing(context) }
    }

    private func closeIfDone(_ context: ChannelHandlerContext) {
        if state.isDone { closeNow(context) }
    }

    /// Closes the channel in any phase.
    func closeNow(_ context: ChannelHandlerContext) {
        end(ChannelError.ioOnClosedChannel)
        context.close(mode: .all, promise: closing.takeChannel())
    }
}

extension Channel {
    fileprivate var allowsHalfClosure: Bool {
        // try?: a channel that does not know this option does not support half-closure.
        (try? syncOptions?.getOption(.allowRemoteHalfClosure)) ?? false
    }
}
