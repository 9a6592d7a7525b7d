package import TransferCommon

/// What a store accepts, and which of its own checks are reliable. Providers differ, so these are data.
package struct StoreLimits: Hashable, Sendable {
    /// Smallest size of every part but the last, in bytes.
    package var partBytesMin: UInt64
    /// Largest size of a part, and of an object written by one PutObject, in bytes.
    package var partBytesMax: UInt64
    /// Default part size in bytes.
    package var partBytesAdvised: UInt64 = 8 << 20
    /// Largest part or object, in bytes, that the store holds in memory until its call ends.
    package var heldBodyBytesMax: UInt64 = 0
    /// Highest part number; the lowest is 1.
    package var partsMax: UInt32
    /// Largest object in bytes.
    package var objectBytesMax: UInt64
    /// Longest key in bytes of UTF-8.
    package var keyBytesMax: Int
    /// Largest session record in bytes.
    package var recordBytesMax: Int
    /// Whether the store was seen to refuse a body whose SHA-256 differs from the offered one. If false, the gateway
    /// must compare the digest before it sends the last bytes.
    package var checksPartDigests: Bool
    /// Which conditions the store was seen to check. If a condition is not among these, the store may replace an object
    /// although the condition does not hold.
    package var conditions: CheckedConditions
    /// How long another gateway's completion may still run after its upload is no longer listed. The gateway repeats
    /// its look-up for this long before it reports a session as lost.
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
