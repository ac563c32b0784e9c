package dingtest

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// States of a card.
const (
	CardOpen   = "open" // it shows that more is to come
	CardFinal  = "final"
	CardFailed = "failed"
)

// Card is an interactive card.
type Card struct {
	Conversation string
	State        string
	Content      string // its streaming variable
	Params       map[string]string
	Mentions     []string
	Delivered    bool
	Updates      int // streaming calls that changed it
	CreatedAt    time.Time
	carrier      string // a processQueryKey
	guids        []string
	order        int
}

const maxParam = 1000 // bytes, of a variable's value

func (s *Server) cardCreate(r *request) reply {
	id := r.str("outTrackId")
	switch {
	case r.str("cardTemplateId") == "":
		return refuse(http.StatusBadRequest, "param.cardTemplateIdEmpty")
	case id == "":
		return refuse(http.StatusBadRequest, "param.outTrackIdEmpty")
	case s.cards[id] != nil:
		return refuse(http.StatusBadRequest, "param.cardAlreadyExist")
	}
	if len(id) > 64 {
		s.violate("outTrackId of %d bytes", len(id))
	}
	conversation, model := s.space(r)
	if conversation == "" {
		return refuse(http.StatusBadRequest, "param.openSpaceIdInvalid")
	}
	if robot, _ := model["robotCode"].(string); robot != s.RobotCode {
		return refuse(http.StatusBadRequest, "param.openDeliverModelError")
	}
	c := &Card{Conversation: conversation, State: CardOpen, Params: map[string]string{}, CreatedAt: s.Now()}
	at, _ := model["atUserIds"].(map[string]any)
	for user := range at {
		c.Mentions = append(c.Mentions, user)
	}
	s.setParams(c, r.object("cardData"))
	s.serial++
	c.order = s.serial
	s.cards[id] = c
	c.carrier = s.next("carrier") + "/+="
	result := map[string]any{"spaceId": conversation, "success": s.undeliver == 0, "carrierId": c.carrier, "errorMsg": ""}
	if s.undeliver > 0 {
		s.undeliver--
		result["errorMsg"] = "SYSTEM_ERROR"
	} else {
		c.Delivered = true
	}
	return ok(map[string]any{"success": true, "result": map[string]any{"outTrackId": id, "deliverResults": []any{result}}})
}

// space returns where a card goes and the model that delivers it there.
func (s *Server) space(r *request) (conversation string, model map[string]any) {
	space := r.str("openSpaceId")
	if id, is := strings.CutPrefix(space, "dtv1.card//IM_GROUP."); is && s.groups[id] && r.object("imGroupOpenSpaceModel") != nil {
		return id, r.object("imGroupOpenDeliverModel")
	}
	if id, is := strings.CutPrefix(space, "dtv1.card//IM_ROBOT."); is && !strings.HasPrefix(id, "$") && r.object("imRobotOpenSpaceModel") != nil {
		return id, r.object("imRobotOpenDeliverModel")
	}
	return "", nil
}

func (s *Server) setParams(c *Card, cardData map[string]any) {
	params, _ := cardData["cardParamMap"].(map[string]any)
	for k, v := range params {
		text, is := v.(string)
		if !is {
			s.violate("card variable %s is not a string", k)
		}
		if len(text) > maxParam && k != "content" {
			s.violate("card variable %s of %d bytes", k, len(text))
		}
		c.Params[k] = text
		switch {
		case k == "content":
			c.Content = text
		case k == "flowStatus" && text == "3":
			c.State = CardFinal
		case k == "flowStatus" && text == "5":
			c.State = CardFailed
		}
	}
}

func (s *Server) cardStream(r *request) reply {
	c := s.cards[r.str("outTrackId")]
	guid := r.str("guid")
	switch {
	case c == nil:
		return refuse(http.StatusBadRequest, "param.cardNotExist")
	case guid == "" || r.str("key") != "content" || !r.flag("isFull"):
		return refuse(http.StatusInternalServerError, "unknownError")
	case slices.Contains(c.guids, guid):
		return ok(map[string]any{"success": true, "result": true})
	case c.State != CardOpen && s.SealFinal:
		return refuse(http.StatusInternalServerError, "unknownError")
	}
	c.guids = append(c.guids, guid)
	c.Content = r.str("content")
	c.Updates++
	switch {
	case r.flag("isError"):
		c.State = CardFailed
	case r.flag("isFinalize"):
		c.State = CardFinal
	default:
		c.State = CardOpen
	}
	return ok(map[string]any{"success": true, "result": true})
}

func (s *Server) cardUpdate(r *request) reply {
	c := s.cards[r.str("outTrackId")]
	if c == nil {
		return refuse(http.StatusBadRequest, "param.cardNotExist")
	}
	options := &request{fields: r.object("cardUpdateOptions")}
	if !options.flag("updateCardDataByKey") {
		clear(c.Params)
		s.violate("card update replaced every variable")
	}
	s.setParams(c, r.object("cardData"))
	return ok(map[string]any{"success": true, "result": true})
}

func (s *Server) cardRoute(r *request) reply {
	s.routes[r.str("callbackRouteKey")] = r.str("callbackUrl")
	return ok(map[string]any{"success": true, "result": map[string]any{"callbackUrl": r.str("callbackUrl"), "apiSecret": r.str("apiSecret")}})
}
