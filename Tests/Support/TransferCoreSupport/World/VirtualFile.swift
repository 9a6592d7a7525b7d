package import TransferCommon
import TransferCore
import WireProtocol

/// A file of the simulated device.
package final class VirtualFile {
    package private(set) var bytes: [UInt8] { didSet { versions.append(ToyDigest.sha256(bytes)) } }
    package private(set) var stamp: FileStamp
    /// The digests of every content that the file has had, in order. A read returns one of these contents, or a
    /// mixture.
    package private(set) var versions: [SHA256Digest]
    /// Whether opening the file fails because it does not exist.
    package var isMissing = false

    package init(bytes: [UInt8], inode: UInt64, seconds: Int64 = 1_000, nanoseconds: UInt32 = 0) {
        self.bytes = bytes
        self.versions = [ToyDigest.sha256(bytes)]
        let time = ModificationTime(seconds: seconds, nanoseconds: nanoseconds)
        self.stamp = FileStamp(
            device: 1, inode: inode, size: UInt64(bytes.count), modification: time, change: time)
    }

    /// Writes new content, with new times.
    package func rewrite(_ bytes: [UInt8]) {
        self.bytes = bytes
        stamp.size = UInt64(bytes.count)
        touchModificationTime()
    }

    /// Writes new content of the same size and restores the modification time, as some programs do.
    package func rewriteKeepingTime(_ bytes: [UInt8]) {
        self.bytes = bytes
        touchChangeTime()
    }

    /// Replaces the file by another one, as a rename over it does.
    package func replace(_ bytes: [UInt8], inode: UInt64) {
        rewrite(bytes)
        stamp.inode = inode
    }

    /// Sets the file's modification time, as a device does whose clock was set back or forward.
    package func setClock(seconds: Int64) {
        stamp.modification = ModificationTime(seconds: seconds, nanoseconds: 0)
        touchChangeTime()
    }

    /// Changes the content but not the file's times. With a coarse clock a write can do this.
    package func corrupt(at index: Int) {
        bytes[index] ^= 0xFF
    }

    /// Changes only the change time, like a rename, a new link or a new mode.
    package func touchChangeTime() {
        stamp.change = ModificationTime(seconds: stamp.change.seconds &+ 1, nanoseconds: 0)
    }

    /// Changes the times but not the content, like `touch`.
    package func touchModificationTime() {
        stamp.modification = ModificationTime(seconds: stamp.modification.seconds &+ 1, nanoseconds: 0)
        touchChangeTime()
    }

    /// The bytes of a part; `nil` if the file ends within the part.
    package func read(start: UInt64, count: UInt64) -> [UInt8]? {
        guard start + count <= UInt64(bytes.count) else { return nil }
        return Array(bytes[Int(start)..<Int(start + count)])
    }
}
