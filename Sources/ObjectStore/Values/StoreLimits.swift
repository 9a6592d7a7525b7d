package import TransferCommon

/// What a store accepts, and which of its own checks are reliable. Stores differ in these values, so they are data and
/// not code.
package struct StoreLimits: Hashable, Sendable {
    /// Minimum size in bytes of every part except the last.
    package var partBytesMin: UInt64
    /// Maximum size in bytes of a part, and of an object that one PutObject writes.
    package var partBytesMax: UInt64
    /// Default part size in bytes.
    package var partBytesAdvised: UInt64 = 8 << 20
    /// A part or object up to this size, in bytes, stays in memory until the call that stores it ends.
    package var heldBodyBytesMax: UInt64 = 0
    /// Highest part number; the lowest is 1.
    package var partsMax: UInt32
    /// Largest object in bytes.
    package var objectBytesMax: UInt64
    /// Longest key in bytes of UTF-8.
    package var keyBytesMax: Int
    /// Largest session record in bytes.
    package var recordBytesMax: Int
    /// Whether a probe has shown that the store refuses a body whose SHA-256 differs from the announced one. If
    /// `false`, the gateway has to compare the digest before it sends the last bytes.
    package var checksPartDigests: Bool
    /// The conditions that the store checks, as a probe has shown. With any other condition the store may replace an
    /// object although the condition is not fulfilled.
    package var conditions: CheckedConditions
    /// After a store stops listing an upload, it may take this long until the object appears, if another gateway is
    /// completing the upload. A gateway repeats its look-up for this time before it reports the session as lost.
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
