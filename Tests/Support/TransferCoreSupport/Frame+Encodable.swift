import NIOCore
package import WireProtocol

extension Frame {
    /// Whether the codec takes it: all its fields are within their ranges.
    package func isEncodable(slot: Slot) -> Bool {
        var buffer = ByteBuffer()
        do throws(WireError) {
            try encode(slot: slot, into: &buffer)
            return true
        } catch {
            return false
        }
    }
}
