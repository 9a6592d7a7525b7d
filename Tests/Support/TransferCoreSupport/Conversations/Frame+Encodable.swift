import NIOCore
package import WireProtocol

extension Frame {
    /// Whether the codec can encode the frame: all its fields are in range.
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
