package import FolderCore

/// An unproven file that the agent has deleted because the disk was full.
package struct ItemLoss: Hashable, Sendable {
    /// The name of the folder; `nil` if the item had no record.
    package var folder: String?
    package var path: ItemPath
    package var size: UInt64
    /// Milliseconds since 1970 by the device's clock, for people.
    package var milliseconds: Int64
    /// Whether the deletion has ended. Otherwise it is under way, or the process has ended in the middle of it, so
    /// that the file may still exist.
    package var isCertain: Bool
}
