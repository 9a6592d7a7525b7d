package import TransferCore
import WireProtocol

/// A file of the virtual device.
package final class VirtualFile {
    package private(set) var bytes: [UInt8]
    package private(set) var stamp: FileStamp

    package init(bytes: [UInt8], inode: UInt64, seconds: Int64 = 1_000) {
        self.bytes = bytes
        let time = ModificationTime(seconds: seconds, nanoseconds: 0)
        self.stamp = FileStamp(
            device: 1, inode: inode, size: UInt64(bytes.count), modification: time, change: time)
    }

    /// Another content, with new times.
    package func rewrite(_ bytes: [UInt8]) {
        self.bytes = bytes
        stamp.size = UInt64(bytes.count)
        touchModificationTime()
    }

    /// Another content behind the back of the file's times, as a clock of coarse ticks allows.
    package func corrupt(at index: Int) {
        bytes[index] ^= 0xFF
    }

    /// A rename, a new link, another mode.
    package func touchChangeTime() {
        stamp.change = ModificationTime(seconds: stamp.change.seconds + 1, nanoseconds: 0)
    }

    /// `touch`: the same content with new times.
    package func touchModificationTime() {
        stamp.modification = ModificationTime(seconds: stamp.modification.seconds + 1, nanoseconds: 0)
        touchChangeTime()
    }

    /// The bytes of a part; `nil` where the file ends before.
    package func read(start: UInt64, count: UInt64) -> [UInt8]? {
        guard start + count <= UInt64(bytes.count) else { return nil }
        return Array(bytes[Int(start)..<Int(start + count)])
    }
}
