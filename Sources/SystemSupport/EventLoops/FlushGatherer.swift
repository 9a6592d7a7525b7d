package import NIOCore

/// Replaces all flushes in one turn of the event loop by a single one at its end.
///
/// Several answers that are written in the same turn then share one flush. If this handler is on the application's side
/// of a TLS handler, the answers share one TLS record and one system call. If it is on the socket's side, they share
/// one system call.
package final class FlushGatherer: ChannelOutboundHandler {
    package typealias OutboundIn = Any

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
