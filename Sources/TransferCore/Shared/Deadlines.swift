package import TransferCommon

/// The earlier of two deadlines; `nil` stands for none. Called after every event, so it avoids an array.
package func earlier(_ left: Instant?, _ right: Instant?) -> Instant? {
    guard let left, let right else { return left ?? right }
    return min(left, right)
}
