import NIOCore
import SecureChannel

extension Channel {
    /// Closes the connection of an unauthenticated peer at once. TLS would otherwise wait for the peer's
    /// `close_notify`, and meanwhile no limit would count the connection.
    func drop() {
        // On plain TCP no handler knows the event, and only the second call has an effect.
        triggerUserOutboundEvent(TLSDrop(), promise: nil)
        close(promise: nil)
    }
}
