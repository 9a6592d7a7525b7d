import NIOCore
import SecureChannel
import SystemSupport

extension Channel {
    /// Closes the connection of an unauthenticated peer at once. TLS would otherwise wait for the peer's
    /// `close_notify`, and meanwhile no limit would count the connection.
    func drop() {
        // On plain TCP no handler knows the event, and only the call of `close` has an effect.
        triggerUserOutboundEvent(TLSDrop(), promise: nil)
        close(promise: nil)
    }
}

extension [any Channel] {
    /// Waits until channels that are closing have closed. Drops those that are open at the end of the limit. The wait
    /// is never shorter than `TLSLimits.closing`, in which a peer that reads can answer TLS's close_notify.
    func waitForEnd(within limit: Duration, on eventLoop: any EventLoop) async {
        let timer = eventLoop.scheduleTask(in: Swift.max(TimeAmount(limit), TLSLimits().closing)) {
            for channel in self { channel.drop() }
        }
        // try?: this future never fails.
        try? await EventLoopFuture.andAllComplete(map(\.closeFuture), on: eventLoop).get()
        timer.cancel()
    }
}
