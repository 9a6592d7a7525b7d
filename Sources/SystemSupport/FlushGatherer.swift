package import NIOCore

/// Flushes once for all that is written in one turn of the event loop.
///
/// Who answers many frames in a turn need not know of each other: behind a TLS handler their answers go out in one
/// record and one system call, and before it, next to the socket, in one system call.
package final class FlushGatherer: ChannelOutboundHandler {
    package typealias OutboundIn = Any

    /// `nil` before and after its time in a pipeline.
    private var context: ChannelHandlerContext?
    private var isAwaited = false

    package init() {}

    package func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    package func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
    }

    package func flush(context: ChannelHandlerContext) {
        guard !isAwaited else { return }
        isAwaited = true
        context.eventLoop.assumeIsolated().execute { [self] in
            if let context = self.context { flushNow(context) }
        }
    }

    package func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        flushNow(context)
        context.close(mode: mode, promise: promise)
    }

    private func flushNow(_ context: ChannelHandlerContext) {
        guard isAwaited else { return }
        isAwaited = false
        context.flush()
    }
}
