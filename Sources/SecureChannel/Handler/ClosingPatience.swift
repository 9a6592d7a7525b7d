import NIOCore

/// Decides how long a closing connection may continue to send. It is asked once in each period of `TLSLimits.closing`.
package struct ClosingPatience: Equatable, Sendable {
    /// Bytes that were unsent at the end of the period before.
    private var unsentByteCount: Int
    private var periodsLeft: Int

    /// - Parameter unsentByteCount: number of bytes that wait to be sent when the connection begins to close.
    package init(unsentByteCount: Int, _ limits: TLSLimits) {
        self.unsentByteCount = unsentByteCount
        self.periodsLeft = limits.closingPeriodsMax
    }

    /// Decides at the end of a period whether the connection may stay open for another one.
    ///
    /// - Returns: `true` if the socket has taken bytes in this period, and this period was not the last.
    package mutating func periodPassed(unsentByteCount: Int) -> Bool {
        periodsLeft -= 1
        guard periodsLeft > 0, unsentByteCount < self.unsentByteCount else { return false }
        self.unsentByteCount = unsentByteCount
        return true
    }

    /// Closes the handler's connection at the end of the first period without progress, or of the last period.
    func watch(_ handler: TLSHandler, _ context: ChannelHandlerContext) {
        handler.timer.start(handler.limits.closing, context) {
            var next = self
            if next.periodPassed(unsentByteCount: handler.records.unsentByteCount(in: context.channel)) {
                next.watch(handler, context)
            } else {
                handler.closeNow(context)
            }
        }
    }
}
