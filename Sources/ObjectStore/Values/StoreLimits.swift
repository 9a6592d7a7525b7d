package import TransferCommon

/// What a store accepts, and how far its own checks can be relied on. Providers differ, so these are data.
package struct StoreLimits: Hashable, Sendable {
    /// The least size of every part but the last.
    package var partBytesMin: UInt64
    /// The greatest size of a part, and of an object that is put at once.
    package var partBytesMax: UInt64
    /// The size of parts where nobody wishes for another one.
    package var partBytesAdvised: UInt64 = 8 << 20
    /// A part or object up to this size stays in memory until its call ends.
    package var heldBodyBytesMax: UInt64 = 0
    /// Parts are numbered from 1 to this.
    package var partsMax: UInt32
    /// The greatest size of an object.
    package var objectBytesMax: UInt64
    /// The greatest length of a key, in bytes of UTF-8.
    package var keyBytesMax: Int
    /// The greatest size of a session record.
    package var recordBytesMax: Int
    /// The store has been seen to refuse a body whose SHA-256 differs from the offered one. Where this is false the
    /// gateway must check before it gives the last bytes away.
    package var checksPartDigests: Bool
    /// Which conditions the store has been seen to check. One that it ignores is a wish.
    package var conditions: CheckedConditions
    /// How long another gateway's completion may go on after the upload has already vanished from sight: so long does
    /// one look again before one calls a session lost.
    package var completionTimeMax: Duration

    package init(
        partBytesMin: UInt64, partBytesMax: UInt64, partsMax: UInt32, objectBytesMax: UInt64, keyBytesMax: Int,
        recordBytesMax: Int, checksPartDigests: Bool, conditions: CheckedConditions,
        completionTimeMax: Duration
    ) {
        self.partBytesMin = partBytesMin
        self.partBytesMax = partBytesMax
        self.partsMax = partsMax
        self.objectBytesMax = objectBytesMax
        self.keyBytesMax = keyBytesMax
        self.recordBytesMax = recordBytesMax
        self.checksPartDigests = checksPartDigests
        self.conditions = conditions
        self.completionTimeMax = completionTimeMax
    }
}
