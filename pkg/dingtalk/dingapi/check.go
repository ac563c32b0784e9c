package dingapi

import "context"

// Check asks DingTalk for an access token, which proves the app's credentials.
func (c *Client) Check(ctx context.Context) error {
	_, err := c.token.get(ctx, c)
	return err
}
