/// A fault of one call. Each fault defines both whether the store executes the call and what it answers.
package indirect enum S3Fault: Sendable {
    /// The store does not execute the call and answers with an error.
    case refuse(status: Int, code: String, headers: [(name: String, value: String)] = [])
    /// The store does not execute the call. It answers with this body, as a proxy or a faulty store may.
    case answer(status: Int, body: String)
    /// Like `refuse`, but the store answers when `afterBytes` bytes of the body have arrived, and then the connection
    /// ends.
    case refuseEarly(afterBytes: Int, status: Int, code: String)
    /// The store does not execute the call. It answers with 200, then spaces, then the error.
    case errorInside(code: String, spaces: Int = 3)
    /// The store executes the call. It answers with 200, then spaces, then the normal body.
    case spacesFirst(count: Int, every: Duration)
    /// The store executes the call, and the answer's body breaks off.
    case truncate(afterBytes: Int)
    /// The store executes the call and answers with a 200 without a body.
    case emptyAnswer
    /// The store executes the call, and the connection ends without an answer.
    case loseAnswer
    /// The store does not execute the call, and the connection ends without an answer.
    case loseRequest
    /// The connection is reset after `afterBytes` bytes of the body.
    case reset(afterBytes: Int)
    /// The store executes the call and answers after a delay.
    case slow(Duration)
    /// The store executes the call and never answers.
    case silence
    /// The store does not execute the call and never answers.
    case deafness
    /// The store executes the call and answers with this ETag; an empty text omits the ETag.
    case etag(String)
    /// One byte of the body arrives changed.
    case flipByte(at: Int)
    /// The store executes the call. Then another writer replaces the part by one with the same number and size.
    case overwritten
    /// The store does not execute the call, and the connection ends without an answer. Meanwhile another program has
    /// stored an object under the key.
    case foreignObject([UInt8])
    /// The listing omits these parts, as if the store had an outdated list.
    case hideParts(Set<Int>)
    /// The upload and all its parts vanish before the call.
    case uploadVanishes
}
